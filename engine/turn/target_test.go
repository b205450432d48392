package turn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestATargetIsSkippedOnlyIfNothingReadHasChanged(t *testing.T) {
	names := []string{"load", "other"}
	all := engine.Reads{Signals: []string{"load"}, Target: true, Memory: true, Claims: true, Trigger: true}
	ok := func(v any) engine.Signal { return engine.Signal{State: engine.OK, Value: v} }
	for name, row := range map[string]struct {
		reads  engine.Reads
		change func(*target) (revision string, memory int)
		same   bool
	}{
		"nothing":                    {all, func(*target) (string, int) { return "r", 1 }, true},
		"a signal that nobody reads": {all, func(s *target) (string, int) { s.doc.Signals[1] = ok(9.0); return "r", 1 }, true},
		"a signal that is read":      {all, func(s *target) (string, int) { s.doc.Signals[0] = ok(9.0); return "r", 1 }, false},
		"its state": {all, func(s *target) (string, int) {
			s.doc.Signals[0] = engine.Signal{State: engine.Stale, Last: 1.0}
			return "r", 1
		}, false},
		"all signals read": {engine.Reads{AllSignals: true}, func(s *target) (string, int) { s.doc.Signals[1] = ok(9.0); return "r", 1 }, false},
		"for how long a signal has held, which nobody reads": {all, func(s *target) (string, int) {
			s.doc.Signals[0].Sustained = &engine.Sustained{Samples: 2}
			return "r", 1
		}, true},
		"for how long a signal has held, which is read": {engine.Reads{Signals: []string{"load"}, Sustained: []string{"load"}}, func(s *target) (string, int) {
			s.doc.Signals[0].Sustained = &engine.Sustained{Samples: 2}
			return "r", 1
		}, false},
		"that of another": {engine.Reads{Signals: []string{"load"}, Sustained: []string{"load"}}, func(s *target) (string, int) {
			s.doc.Signals[1].Sustained = &engine.Sustained{Samples: 2}
			return "r", 1
		}, true},
		"that of any": {engine.Reads{AllSustained: true}, func(s *target) (string, int) {
			s.doc.Signals[1].Sustained = &engine.Sustained{Samples: 2}
			return "r", 1
		}, false},
		"the revision":               {all, func(*target) (string, int) { return "r2", 1 }, false},
		"the memory":                 {all, func(*target) (string, int) { return "r", 2 }, false},
		"a memory that nobody reads": {engine.Reads{}, func(*target) (string, int) { return "r", 2 }, true},
		"the replicas":               {all, func(s *target) (string, int) { s.doc.Target.Replicas = &engine.Replicas{Desired: 2}; return "r", 1 }, false},
		"a label":                    {all, func(s *target) (string, int) { s.doc.Target.Labels = map[string]string{"a": "c"}; return "r", 1 }, false},
		"a claim":                    {all, func(s *target) (string, int) { s.doc.Claims = []engine.Claim{{Name: "replicas"}}; return "r", 1 }, false},
		"the trigger":                {all, func(s *target) (string, int) { s.doc.Trigger = &engine.TriggerInfo{Name: "nightly"}; return "r", 1 }, false},
		"an event": {all, func(s *target) (string, int) {
			s.doc.Trigger = &engine.TriggerInfo{Event: &engine.Event{ID: "1"}}
			return "r", 1
		}, false},
		"a strategy that reads time": {engine.Reads{Now: true}, func(*target) (string, int) { return "r", 1 }, false},
		"a strategy that failed": {all, func(s *target) (string, int) {
			s.problems = []engine.Problem{{Strategy: "s", Message: "timeout"}}
			return "r", 1
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &target{}
			s.doc.Signals = []engine.Signal{ok(1.0), ok(2.0)}
			s.doc.Trigger = &engine.TriggerInfo{}
			s.doc.Target = engine.Target{Name: "web", Labels: map[string]string{"a": "b"}, Replicas: &engine.Replicas{Desired: 1}}
			s.setEvaluation("r", 1, engine.Evaluation{})
			revision, memory := row.change(s)
			r := resolve(row.reads, names)
			require.Equal(t, row.same, s.unchanged(revision, &r, memory))
		})
	}
}
