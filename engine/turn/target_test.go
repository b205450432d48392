package turn

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// reading is a revision of strategies that only read.
type reading struct {
	engine.Revision
	reads map[string]engine.Reads
}

func (r *reading) ID() string { return "r" }

func (r *reading) Reads(strategies []string) engine.Reads { return r.reads[strategies[0]] }

func TestAStrategyIsSkippedOnlyIfNothingThatItReadsHasChanged(t *testing.T) {
	ok := func(v any) engine.Signal { return engine.Signal{State: engine.OK, Value: v} }
	stale := engine.Signal{State: engine.Stale, Last: 1.0}
	load := func(f engine.SignalFields) engine.Reads {
		return engine.Reads{Signals: map[string]engine.SignalFields{"load": f}}
	}
	of := func(names ...string) engine.Keys { return engine.Keys{Names: names} }
	rev := &reading{reads: map[string]engine.Reads{
		"value": load(engine.SignalValue), "state": load(engine.SignalState), "last": load(engine.SignalLast), "window": load(engine.SignalWindow), "since": load(engine.SignalSince), "missing": load(engine.SignalMissing), "sustained": load(engine.SignalSustained),
		"all signals": {AllSignals: true, AllFields: engine.SignalState | engine.SignalValue}, "all sustained": {AllSignals: true, AllFields: engine.SignalSustained}, "pods": {Target: engine.TargetPods}, "desired": {Target: engine.TargetDesired}, "ready": {Target: engine.TargetReady}, "labels": {Target: engine.TargetLabels},
		"placement": {Target: engine.TargetPlacement}, "model": {Target: engine.TargetModel}, "version": {Target: engine.TargetAPIVersion},
		"own memory": {Memory: of("x.own")}, "memory": {Memory: engine.Keys{All: true}}, "replicas claim": {Claims: of("replicas")}, "claims": {Claims: engine.Keys{All: true}},
		"trigger": {Trigger: true}, "time": {Now: true}, "nothing": {},
	}}
	names := make([]string, 0, len(rev.reads))
	for name := range rev.reads {
		names = append(names, name)
	}
	for name, row := range map[string]struct {
		change func(*target) (memory int)
		want   []string
	}{
		"nothing":                       {func(*target) int { return 1 }, nil},
		"the value":                     {func(s *target) int { s.doc.Signals[0] = ok(9.0); return 1 }, []string{"all signals", "value"}},
		"to minus zero":                 {func(s *target) int { s.doc.Signals[0] = ok(math.Copysign(0, -1)); return 1 }, []string{"all signals", "value"}},
		"another signal":                {func(s *target) int { s.doc.Signals[1] = ok(9.0); return 1 }, []string{"all signals"}},
		"the state":                     {func(s *target) int { s.doc.Signals[0] = stale; return 1 }, []string{"all signals", "all sustained", "last", "state", "sustained", "value"}},
		"from one bad state to another": {func(s *target) int { s.doc.Signals[2].State = engine.Empty; return 1 }, []string{"all signals"}},
		"a last value that is not shown": {func(s *target) int {
			s.doc.Signals[0].Last = 7.0
			return 1
		}, nil},
		"a member without a number": {func(s *target) int {
			s.doc.Signals[0].Missing = map[string]engine.State{"v2": engine.NaN}
			return 1
		}, []string{"missing"}},
		"the window":               {func(s *target) int { s.doc.Signals[0].Window = 5; return 1 }, []string{"window"}},
		"for how long it has held": {func(s *target) int { s.doc.Signals[0].Sustained = &engine.Sustained{Samples: 2}; return 1 }, []string{"all sustained", "sustained"}},
		"for how long another has": {func(s *target) int { s.doc.Signals[1].Sustained = &engine.Sustained{Samples: 2}; return 1 }, []string{"all sustained"}},
		"the pods":                 {func(s *target) int { s.doc.Target.Pods = []engine.TargetPod{{Name: "web-0"}}; return 1 }, []string{"pods"}},
		"no pods":                  {func(s *target) int { s.doc.Target.Pods = []engine.TargetPod{}; return 1 }, []string{"pods"}},
		"the pods omitted":         {func(s *target) int { s.doc.Target.PodsOmitted = 3; return 1 }, []string{"pods"}},
		"the mark":                 {func(s *target) int { s.doc.Signals[0].Since = time.Unix(1, 0); return 1 }, []string{"since"}},
		"the replicas wanted":      {func(s *target) int { s.doc.Target.Replicas = &engine.Replicas{Desired: 2, Ready: 1}; return 1 }, []string{"desired"}},
		"the replicas ready":       {func(s *target) int { s.doc.Target.Replicas = &engine.Replicas{Desired: 1, Ready: 0}; return 1 }, []string{"ready"}},
		"no replicas":              {func(s *target) int { s.doc.Target.Replicas = nil; return 1 }, []string{"desired", "ready"}},
		"a label":                  {func(s *target) int { s.doc.Target.Labels = map[string]string{"a": "c"}; return 1 }, []string{"labels"}},
		"placement, empty":         {func(s *target) int { s.doc.Target.Placement = []string{}; return 1 }, []string{"placement"}},
		"the model":                {func(s *target) int { s.doc.Target.Model = "m"; return 1 }, []string{"model"}},
		"the version of the API":   {func(s *target) int { s.doc.Target.APIVersion = "v2"; return 1 }, []string{"version"}},
		"the memory of another": {func(s *target) int {
			s.doc.Memory = engine.Memory{"x.other": {Note: 1.0}}
			return 2
		}, []string{"memory"}},
		"the memory": {func(s *target) int {
			s.doc.Memory = engine.Memory{"x.own": {Note: 1.0}}
			return 2
		}, []string{"memory", "own memory"}},
		"another claim": {func(s *target) int { s.doc.Claims = []engine.Claim{{Name: "traffic"}}; return 1 }, []string{"claims"}},
		"the claim":     {func(s *target) int { s.doc.Claims = []engine.Claim{{Name: "replicas"}}; return 1 }, []string{"claims", "replicas claim"}},
		"the trigger":   {func(s *target) int { s.doc.Trigger = &engine.TriggerInfo{Name: "nightly"}; return 1 }, []string{"trigger"}},
		"an event":      {func(s *target) int { s.doc.Trigger = &engine.TriggerInfo{Event: &engine.Event{ID: "1"}}; return 1 }, []string{"trigger"}},
		"a failure": {func(s *target) int {
			s.results[slices.Index(s.reads.names, "desired")].problems = []engine.Problem{{Strategy: "desired", Message: "timeout"}}
			return 1
		}, []string{"desired"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := readsOf(rev, names, []string{"load", "other", "bad"})
			s := &target{}
			s.doc.Signals = []engine.Signal{ok(0.0), ok(2.0), stale}
			s.doc.Trigger = &engine.TriggerInfo{}
			s.doc.Target = engine.Target{Name: "web", Labels: map[string]string{"a": "b"}, Replicas: &engine.Replicas{Desired: 1, Ready: 1}}
			require.Equal(t, r.names, s.changed(r, 1), "before the first evaluation")
			memory := row.change(s)
			changed := s.changed(r, memory)
			require.Contains(t, changed, "time")
			require.ElementsMatch(t, append(row.want, "time"), changed)
			if name != "a failure" && name != "an event" {
				require.Equal(t, []string{"time"}, s.changed(r, memory), "the change is seen once")
			}
			require.Equal(t, r.names, s.changed(readsOf(rev, names, []string{"load", "other", "bad"}), memory), "another revision")
		})
	}
}
