package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestATargetIsSkippedOnlyIfNothingReadHasChanged(t *testing.T) {
	names := []string{"load", "other"}
	all := Reads{Signals: []string{"load"}, Target: true, Memory: true, Claims: true, Trigger: true}
	ok := func(v any) Signal { return Signal{State: OK, Value: v} }
	for name, row := range map[string]struct {
		reads  Reads
		change func(*slot) (revision string, memory int)
		same   bool
	}{
		"nothing":                    {all, func(*slot) (string, int) { return "r", 1 }, true},
		"a signal that nobody reads": {all, func(s *slot) (string, int) { s.doc.Signals[1] = ok(9.0); return "r", 1 }, true},
		"a signal that is read":      {all, func(s *slot) (string, int) { s.doc.Signals[0] = ok(9.0); return "r", 1 }, false},
		"its state":                  {all, func(s *slot) (string, int) { s.doc.Signals[0] = Signal{State: Stale, Last: 1.0}; return "r", 1 }, false},
		"all signals read":           {Reads{AllSignals: true}, func(s *slot) (string, int) { s.doc.Signals[1] = ok(9.0); return "r", 1 }, false},
		"the revision":               {all, func(*slot) (string, int) { return "r2", 1 }, false},
		"the memory":                 {all, func(*slot) (string, int) { return "r", 2 }, false},
		"a memory that nobody reads": {Reads{}, func(*slot) (string, int) { return "r", 2 }, true},
		"the replicas":               {all, func(s *slot) (string, int) { s.doc.Target.Replicas = &Replicas{Desired: 2}; return "r", 1 }, false},
		"a label":                    {all, func(s *slot) (string, int) { s.doc.Target.Labels = map[string]string{"a": "c"}; return "r", 1 }, false},
		"a claim":                    {all, func(s *slot) (string, int) { s.doc.Claims = []Claim{{Name: "replicas"}}; return "r", 1 }, false},
		"the trigger":                {all, func(s *slot) (string, int) { s.doc.Trigger = &TriggerInfo{Name: "nightly"}; return "r", 1 }, false},
		"an event":                   {all, func(s *slot) (string, int) { s.doc.Trigger = &TriggerInfo{Event: &Event{ID: "1"}}; return "r", 1 }, false},
		"a strategy that reads time": {Reads{Now: true}, func(*slot) (string, int) { return "r", 1 }, false},
		"a strategy that failed":     {all, func(s *slot) (string, int) { s.problems = []Problem{{"s", "timeout"}}; return "r", 1 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &slot{}
			s.doc.Signals = []Signal{ok(1.0), ok(2.0)}
			s.doc.Trigger = &TriggerInfo{}
			s.doc.Target = Target{Name: "web", Labels: map[string]string{"a": "b"}, Replicas: &Replicas{Desired: 1}}
			s.remember("r", 1, Evaluation{})
			revision, memory := row.change(s)
			r := resolve(row.reads, names)
			require.Equal(t, row.same, s.unchanged(revision, &r, memory))
		})
	}
}

func TestMemoryForgetsWhatNoGuardCounts(t *testing.T) {
	a := guarded(Guards{Budget: &BudgetGuard{Actions: 5, Per: time.Hour}})
	m := a.memoryOf(TargetID{Name: "web"})
	for i := range 1000 {
		in := Intent{Identity: fmt.Sprint(i), Primitive: "webhook", At: epoch.AddDate(0, 0, i)}
		m.counted(in, a.spec.Guards.Horizon())
		m.ended(in, Outcome{Status: Done}, in.At, false)
	}
	require.LessOrEqual(t, len(m.acts), 2)
}
