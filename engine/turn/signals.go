package turn

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/memory"
)

// maxSkew bounds how far in the future the stamp of a signal may be: clocks differ a little.
const maxSkew = 30 * time.Second

// representable reports whether a time can be expressed in nanoseconds since 1970, as
// documents and the journal do. The zero time counts as none.
func representable(t time.Time) bool { return t.IsZero() || time.Unix(0, t.UnixNano()).Equal(t) }

// hasNaN reports whether a value has a NaN or an infinity, at any depth.
func hasNaN(v any) bool {
	switch v := v.(type) {
	case float64:
		return math.IsNaN(v) || math.IsInf(v, 0)
	case []any:
		return slices.ContainsFunc(v, hasNaN)
	case map[string]any:
		for _, x := range v {
			if hasNaN(x) {
				return true
			}
		}
	}
	return false
}

// lastValue is the last value of one signal of one target that was OK.
type lastValue struct {
	Value any           `json:"v"`
	At    time.Time     `json:"t"`
	For   time.Duration `json:"w,omitempty"`
}

// judge decides on the state of a signal, in this one place. It gets the sample, or the
// sensor's failure, and the last good value, which it updates.
func judge(s engine.Signal, failure error, at time.Time, staleAfter time.Duration, last *lastValue) engine.Signal {
	if failure != nil {
		s = engine.Signal{State: engine.Error, Problem: failure.Error()}
	}
	s.Problem = engine.Clip(s.Problem)
	last.At = engine.NotAfter(last.At, at) // its clock was set back
	if s.State == engine.OK && hasNaN(s.Value) {
		s.State = engine.NaN
	}
	if s.State == engine.OK && !representable(s.At) {
		s.State, s.Problem = engine.Error, "is stamped in the year "+strconv.Itoa(s.At.UTC().Year())+", which is outside of 1678 to 2262; set the time at its source right"
	}
	if s.State == engine.OK && s.At.Sub(at) > maxSkew {
		s.State, s.Problem = engine.Error, "is stamped "+s.At.Sub(at).Round(time.Second).String()+" in the future; set the clocks right"
	}
	if s.State == engine.OK {
		if s.At.IsZero() {
			s.At = at
		}
		last.Value, last.At, last.For = s.Value, s.At, s.Window
		if staleAfter <= 0 || at.Sub(s.At) <= staleAfter {
			return s
		}
		s.State, s.Problem = engine.Stale, "measured "+at.Sub(s.At).Round(time.Second).String()+" ago"
	}
	if s.State == engine.Empty && s.At.After(last.At) && !s.At.After(at) && representable(s.At) && !hasNaN(s.Last) { // its source has a later value than this agent
		last.Value, last.At, last.For = s.Last, s.At, s.Window
	}
	if s.State == engine.Empty && staleAfter > 0 && !last.At.IsZero() && at.Sub(last.At) <= staleAfter {
		s.State, s.Problem = engine.Stale, "was there a moment ago, and is gone"
	}
	s.Value, s.Last, s.At = nil, nil, time.Time{}
	if !last.At.IsZero() {
		s.Last, s.At, s.Window = last.Value, last.At, last.For
	}
	return s
}

// total is the last sample of a sensor that counts, for one target.
type total struct {
	value float64
	known bool // sampled, and a number
	// lost is by how much the total fell since the baseline, which the increase includes: the
	// whole value of a counter that was reset, as of a pod that was replaced, and what was
	// deleted from a sum. A restart of this process forgets it.
	lost float64
}

// sinceBaseline turns a sampled total into its increase since the baseline; into the whole
// total where the baseline was never set.
func (t *total) sinceBaseline(s engine.Signal, base memory.Baseline, sensor string, counter bool) engine.Signal {
	s.Since = base.At
	if s.State != engine.OK {
		t.known = false
		return s
	}
	now, isNumber := s.Value.(float64)
	if !isNumber {
		t.known = false
		return engine.Signal{State: engine.Error, Since: base.At, Problem: "is no number, and only a number can be counted since a mark"}
	}
	if hasNaN(now) { // judge sets the state
		t.known = false
		return s
	}
	before := base.Totals[sensor]
	switch {
	case now < t.value && counter:
		t.lost += t.value
	case now < t.value:
		t.lost += t.value - now
	case now+t.lost < before && counter: // it was reset between two samples
		t.lost = before
	case now+t.lost < before:
		t.lost = before - now
	}
	t.value, t.known = now, true
	s.Value = now + t.lost - before
	return s
}

// baselineNote returns the note that sets a baseline to what its sensors had sampled. A
// sensor without a sample keeps its old baseline.
func (a *Agent) baselineNote(s *target, name string) engine.Note {
	before := a.Memory.Baseline(s.doc.Target.ID(), name)
	next := memory.Baseline{At: s.doc.Now, Totals: map[string]float64{}}
	for j := range a.Spec.Sensors {
		if a.Spec.Sensors[j].Since != name {
			continue
		}
		switch sensor := a.names[j]; {
		case s.totals[j].known:
			next.Totals[sensor] = s.totals[j].value
		case before.Totals != nil:
			next.Totals[sensor] = before.Totals[sensor]
		}
	}
	return next.Note(s.doc.Target.ID(), name)
}

// restartCounting resets what the totals of a baseline lost, once the baseline is kept.
func (a *Agent) restartCounting(n *engine.Note) {
	s := a.targets[n.Target]
	if n.Baseline == "" || s == nil {
		return
	}
	for j := range a.Spec.Sensors {
		if a.Spec.Sensors[j].Since == n.Baseline && s.totals[j].known {
			s.totals[j].lost = 0
		}
	}
}
