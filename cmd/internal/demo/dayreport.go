package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// DayReport is the result of the run. Its JSON is the last line of `scanflow demo day --json`.
type DayReport struct {
	Scenario  string       `json:"scenario"`
	Seed      uint64       `json:"seed"`
	Speed     float64      `json:"speed"`
	Digits    string       `json:"digits"` // where they come from
	Drifts    []DayDrift   `json:"drifts"`
	Objective DayObjective `json:"objective"`
	Phases    []DayPhase   `json:"phases"`
	Rounds    []Round      `json:"rounds"`
	// Trainings counts the successful retrainings. Some are part of no round: the model was
	// not better by the planner's margin, or was not rolled out before the end of the day.
	Trainings  int              `json:"trainings"`
	RolledBack int              `json:"rolled_back"`
	Requests   Requests         `json:"requests"`
	Kill       Kill             `json:"kill"`
	Agents     []DayWork        `json:"agents"`
	Waits      []Wait           `json:"waits"`
	SideBySide []ConcurrentActs `json:"side_by_side"`
	Fields     []FieldWriters   `json:"fields"`
	Held       bool             `json:"held"`
	Missed     []string         `json:"missed,omitempty"`

	acts   []claimedAct
	layers map[string]string // of the agents
}

// DayObjective has the bounds: the p99 of each phase without its first SettleS seconds and
// those after the kill; no lost request except for those in flight on the killed replica;
// replicas that follow the load; an improvement in each round; and no field written by two
// agents.
type DayObjective struct {
	P99MS       float64 `json:"p99_ms"`
	SettleS     float64 `json:"settle_s"`
	Lost        int     `json:"requests_lost"`
	MinPeak     int     `json:"peak_replicas_at_least"`
	EndReplicas int     `json:"replicas_at_the_end"`
	BackS       float64 `json:"replica_back_s"`
	Rounds      int     `json:"rounds_at_least"`
	Writers     int     `json:"agents_per_field"`
}

// DayWork counts an agent's acts with one verb.
type DayWork struct {
	Agent     string `json:"agent"`
	Layer     string `json:"layer"`
	Primitive string `json:"primitive"`
	Done      int    `json:"done"`
	Failed    int    `json:"failed"`
	// The waits, by cause: an agent of the other layer, another agent of the same layer, and
	// the agent's own guards, such as a cooldown.
	ForOtherLayer int `json:"waits_for_other_layer"`
	ForOwnLayer   int `json:"waits_for_own_layer"`
	ForOwnGuards  int `json:"waits_for_own_guards"`
}

// maxReplicaReturn is within what time a killed replica must be back.
const maxReplicaReturn = 10 * time.Second

func (d *day) report(ctx context.Context) (*DayReport, error) {
	settled := max(d.o.scaled(settleTime), minSettleTime)
	r := &DayReport{
		Scenario: "day", Seed: d.o.Seed, Speed: d.o.Speed, Digits: d.parts.Source, Drifts: d.drifts,
		Objective: DayObjective{P99MS: 300, SettleS: settled.Seconds(), MinPeak: 3, EndReplicas: 1, BackS: maxReplicaReturn.Seconds(), Rounds: minRounds, Writers: 1},
		Rounds:    d.rounds.list, RolledBack: d.rounds.rolledBack, Kill: d.kill, layers: map[string]string{},
		Requests: countRequests(d.result.Total.Count, d.result.Failures, d.began, &d.kill), Phases: d.phases(settled),
	}
	r.Requests.LagMS = round(d.result.MaxLag)
	if r.Rounds == nil {
		r.Rounds = []Round{}
	}
	agents, err := manifest.Read([]string{d.files.agents}, agentspec.Kinds())
	if err != nil {
		return nil, err
	}
	for _, a := range agents {
		r.layers[a.Metadata.Namespace+"/"+a.Metadata.Name] = a.Spec.Layer
	}
	reader, err := d.platform.system().Journal.Reader()
	if err != nil {
		return nil, err
	}
	rows, err := reader.Decisions(ctx, journal.Filter{OldestFirst: true})
	if err != nil {
		return nil, err
	}
	r.read(rows, d.began, time.Now())
	r.judge()
	return r, nil
}

// read reads what the agents did from the journal.
func (r *DayReport) read(rows []journal.Row, began, now time.Time) {
	r.acts = claimedActs(rows, now)
	r.Waits, r.Fields, r.SideBySide = findWaits(rows, began), fieldWriters(r.acts), concurrentActs(r.acts, r.layers, began)
	work := map[[2]string]DayWork{}
	at := func(agent, primitive string) ([2]string, DayWork) {
		k := [2]string{agent, primitive}
		w := work[k]
		w.Agent, w.Layer, w.Primitive = agent, r.layers[agent], primitive
		return k, w
	}
	for _, row := range rows {
		if row.Verdict != engine.Admitted || row.Outcome == nil {
			continue
		}
		k, w := at(row.Agent, row.Primitive)
		switch row.Outcome.Status {
		case engine.Done:
			w.Done++
			if row.With["template"] == "retrain" {
				r.Trainings++
			}
		case engine.Failed:
			w.Failed++
		default:
		}
		work[k] = w
	}
	for i := range r.Waits {
		k, w := at(r.Waits[i].Agent, r.Waits[i].Primitive)
		switch {
		case r.Waits[i].acrossLayers(r.layers):
			w.ForOtherLayer++
		case len(r.Waits[i].blockingAgents()) > 0:
			w.ForOwnLayer++
		default:
			w.ForOwnGuards++
		}
		work[k] = w
	}
	r.Agents = []DayWork{}
	for _, w := range work {
		r.Agents = append(r.Agents, w)
	}
	slices.SortFunc(r.Agents, func(a, b DayWork) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Primitive, b.Primitive))
	})
}

func (r *DayReport) judge() {
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	o := &r.Objective
	if len(r.Rounds) < o.Rounds {
		miss("%d rounds of retraining, and %d are wanted", len(r.Rounds), o.Rounds)
	}
	for _, round := range r.Rounds {
		if round.After <= round.Before {
			miss("round %d did not raise the accuracy: %.4f -> %.4f", round.Round, round.Before, round.After)
		}
	}
	peak, end := 0, 0
	for _, p := range r.Phases {
		peak, end = max(peak, p.Replicas.Max), p.Replicas.End
		if p.SettledP99 == nil {
			miss("p99 of %s, settled: nothing was measured", p.Name)
		} else if *p.SettledP99 > o.P99MS {
			miss("p99 of %s, settled: %.0f ms, and %.0f is the objective", p.Name, *p.SettledP99, o.P99MS)
		}
	}
	if lost := r.Requests.Lost - r.Requests.LostToKill; lost > o.Lost {
		miss("%d requests lost, beside the %d on the replica that died, and %d may be", lost, r.Requests.LostToKill, o.Lost)
	}
	if peak < o.MinPeak {
		miss("never more than %d replicas ready, and the load needs %d", peak, o.MinPeak)
	}
	if end != o.EndReplicas {
		miss("%d replicas at the end, and the load needs %d", end, o.EndReplicas)
	}
	switch k := &r.Kill; {
	case k.Pod == "":
		miss("no replica was killed")
	case k.BackSeconds == nil:
		miss("the replica that died did not come back")
	case *k.BackSeconds > o.BackS:
		miss("the replica that died was back after %.1f s, and %.0f are allowed", *k.BackSeconds, o.BackS)
	}
	for _, f := range r.Fields {
		if len(f.Acts) > o.Writers {
			miss("the field %s of %s was written by %s", f.Claim, f.Target, strings.Join(f.writers(), " and "))
		}
		if f.Overlaps > 0 {
			miss("%d acts on the field %s of %s began before the one before had ended", f.Overlaps, f.Claim, f.Target)
		}
	}
	r.Held = len(r.Missed) == 0
}
