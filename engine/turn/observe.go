package turn

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Input holds everything that a turn needs. Its driver fetches it.
type Input struct {
	// ID is the firing's, and never reused; "" if the journal returned none, so that the turn
	// can't be recorded.
	ID      string
	Now     time.Time
	Lag     time.Duration
	Trigger engine.TriggerInfo
	// Recheck is the approved act that the turn rechecks, nil in any other turn. Then only
	// that act is decided on.
	Recheck  *engine.Approval
	Revision engine.Revision
	Policy   engine.PolicyInfo
	// Fleet are the targets in the order of Sorted, and FleetErr why they could not be listed.
	Fleet    []engine.Target
	FleetErr error
	// Readings and Errs are by sensor, in the order of the spec. A sensor that failed has an
	// error and no reading.
	Readings []engine.Reading
	Errs     []error
	// Problems of the sensors, for the record.
	Problems []string
	// Deferred counts the events of the agent that wait for a guard.
	Deferred int
}

// Sorted returns a fleet in the order in which an agent decides, each target once.
func Sorted(fleet []engine.Target) []engine.Target {
	fleet = slices.Clone(fleet)
	byID := func(x, y engine.Target) int { return compareIDs(x.ID(), y.ID()) }
	if !slices.IsSortedFunc(fleet, byID) {
		slices.SortFunc(fleet, byID)
	}
	return slices.CompactFunc(fleet, func(x, y engine.Target) bool { return x.ID() == y.ID() })
}

// Observation is a turn whose documents are up to date.
type Observation struct {
	agent   *Agent
	in      Input
	rec     engine.FiringRecord
	targets []*target // nil where the fleet could not be listed
	blocked bool      // nothing can be decided: the event of the trigger is not handled
}

// Observe updates the document of each target.
func (a *Agent) Observe(in Input) *Observation {
	in.Lag = max(in.Lag, 0) // the clock of the event's sender may be ahead
	o := &Observation{agent: a, in: in}
	o.rec = engine.FiringRecord{
		ID: in.ID, Agent: a.name, Mode: a.Spec.Mode, At: in.Now, Trigger: in.Trigger, Revision: in.Revision.ID(), Policy: in.Policy, Lag: in.Lag, Signals: map[engine.State]int{},
	}
	if in.FleetErr != nil {
		o.Block(fmt.Errorf("list targets: %w", in.FleetErr))
		return o
	}
	o.rec.Targets = len(in.Fleet)
	for i, err := range in.Errs {
		if err != nil {
			o.rec.Problems = append(o.rec.Problems, engine.Clip(fmt.Sprintf("sensor %s: %v", a.names[i], err)))
			o.rec.MissingRights = engine.AddMissingRight(o.rec.MissingRights, err)
		}
	}
	o.AddProblems(in.Problems)
	o.targets = make([]*target, len(in.Fleet))
	for i := range in.Fleet {
		o.targets[i] = o.update(i)
	}
	o.rec.Unhealthy = o.unhealthy()
	o.rec.BySignal = o.bySignal()
	o.rec.Faults, o.rec.MoreFaults = o.changedFaults()
	a.retire(o.targets, in.Now)
	return o
}

// update brings the document of a target up to date.
func (o *Observation) update(i int) *target {
	a, in, id := o.agent, &o.in, o.in.Fleet[i].ID()
	s := a.target(&in.Fleet[i])
	s.doc.Now, s.doc.Trigger, s.doc.Target = in.Now, &in.Trigger, in.Fleet[i]
	for j := range a.Spec.Sensors {
		sensor := &a.Spec.Sensors[j]
		var sample engine.Signal
		if in.Errs[j] == nil {
			sample = in.Readings[j][i]
		}
		if sensor.Since != "" {
			sample = s.totals[j].sinceBaseline(sample, a.Memory.Baseline(id, sensor.Since), a.names[j], !sensor.Sum)
		}
		s.doc.Signals[j] = judge(sample, in.Errs[j], in.Now, sensor.StaleAfter, &s.last[j])
		if sensor.Sustained != nil {
			s.doc.Signals[j].Sustained = s.held[j].add(&s.doc.Signals[j], in.Now, sensor.Sustained)
		}
		o.rec.Signals[s.doc.Signals[j].State]++
	}
	s.doc.Claims = a.Claims.On(id, in.Now)
	return s
}

// AddProblems adds problems to the record, each once.
func (o *Observation) AddProblems(problems []string) {
	for _, p := range problems {
		if p = engine.Clip(p); !slices.Contains(o.rec.Problems, p) {
			o.rec.Problems = append(o.rec.Problems, p)
		}
	}
}

// Block records why nothing can be decided in this turn. The event of its trigger is not
// handled.
func (o *Observation) Block(err error) {
	o.targets, o.blocked = nil, true
	o.rec.Trigger.Event = nil
	o.rec.Blocked = engine.Clip(err.Error())
	o.rec.Problems = append(o.rec.Problems, o.rec.Blocked)
	o.rec.MissingRights = engine.AddMissingRight(o.rec.MissingRights, err)
}

// Blocked reports whether nothing can be decided in this turn.
func (o *Observation) Blocked() bool { return o.blocked }

// Documents returns the documents as JSON, of the first targets by name, at most most.
func (o *Observation) Documents(most int) []json.RawMessage { return documents(o.targets, most) }

// unhealthy summarizes the signals that are not OK, by sensor, in the agent's order.
func (o *Observation) unhealthy() []engine.SignalHealth {
	var out []engine.SignalHealth
	for i, name := range o.agent.names {
		h := engine.SignalHealth{Sensor: name, State: engine.OK, Whole: o.in.Errs[i] != nil}
		for _, s := range o.targets {
			if sig := &s.doc.Signals[i]; sig.State != engine.OK {
				h.Add(sig, s.doc.Target.ID())
			}
		}
		if h.Targets > 0 {
			out = append(out, h)
		}
	}
	return out
}

// changedFaults returns the faults that the record has.
func (o *Observation) changedFaults() ([]engine.SignalFault, int) {
	there := make(map[engine.TargetID]bool, len(o.targets))
	for _, s := range o.targets {
		there[s.doc.Target.ID()] = true
	}
	return o.agent.faults.changes(o.Faults(), func(id engine.TargetID) bool { return there[id] }, func(signal string) bool {
		i := slices.Index(o.agent.names, signal)
		return i >= 0 && o.in.Errs[i] != nil
	})
}

// bySignal counts the signals by name and state.
func (o *Observation) bySignal() map[string]map[engine.State]int {
	out := make(map[string]map[engine.State]int, len(o.agent.names))
	for i, name := range o.agent.names {
		counts := map[engine.State]int{}
		for _, s := range o.targets {
			counts[s.doc.Signals[i].State]++
		}
		out[name] = counts
	}
	return out
}

// Faults returns the signals that are not OK, by target in the fleet's order, without those
// of sensors that failed for all targets: the record's Problems have these.
func (o *Observation) Faults() []engine.SignalFault {
	var out []engine.SignalFault
	for _, s := range o.targets {
		for i, name := range o.agent.names {
			if sig := &s.doc.Signals[i]; sig.State != engine.OK && o.in.Errs[i] == nil {
				out = append(out, engine.SignalFault{Target: s.doc.Target.ID(), Signal: name, State: sig.State, Problem: sig.Why()})
			}
		}
	}
	return out
}
