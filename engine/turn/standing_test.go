package turn

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/memory"
)

// Each target counts once in each of the three, whatever is proposed for it.
func TestTargetsThatDoNotGetOnAreCounted(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := &Agent{name: "ns/planner", Memory: memory.NewBook()}
	e := &Evaluation{Observation: &Observation{agent: a}}
	targets := map[string]*target{}
	propose := func(name string, d engine.Decision) {
		if targets[name] == nil {
			targets[name] = &target{}
		}
		of := engine.Target{Kind: "Deployment", Namespace: "ns", Name: name}
		d.Target, d.Primitive = of.ID(), "scale"
		e.candidates = append(e.candidates, &candidate{Proposal: engine.Proposal{Target: of, Strategy: "t.s", Primitive: "scale"}, on: targets[name], decision: d})
	}
	refused := func(by, detail string) engine.Decision {
		return engine.Decision{Verdict: engine.Refused, By: by, Detail: detail}
	}
	propose("a", engine.Decision{Verdict: engine.Admitted})
	propose("b", engine.Decision{Verdict: engine.Unchanged})
	propose("c", refused(byArbiter, "beaten"))
	propose("d", refused(byMode, "paused"))
	propose("e", engine.Decision{Verdict: engine.Refused, By: byClaims, HeldBy: &engine.Claim{Agent: "ns/planner", State: "running"}})
	require.Equal(t, &engine.Standing{}, e.standing(), "all is in order")

	propose("f", refused(byPlan, "kubectl wrote it"))
	propose("f", refused("policy:nights", "at night"))
	propose("g", refused(bySignals, "load is stale"))
	for _, by := range []string{byCooldown, byBudget, byFleet, byApproval, byBackoff} {
		propose(by, refused(by, by))
	}
	propose("h", engine.Decision{Verdict: engine.Waiting, Detail: "waits for ana"})
	propose("i", engine.Decision{Verdict: engine.Refused, By: byClaims, Detail: "held by another", HeldBy: &engine.Claim{Agent: "ns/other", State: "running"}})
	for _, name := range []string{"a", "b", "f"} { // b is as it should be by now
		in := &engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Target: engine.Target{Kind: "Deployment", Namespace: "ns", Name: name}, Strategy: "t.s", Primitive: "scale"}}, At: at}
		a.Memory.End(in, engine.Outcome{Status: engine.Failed}, at, false)
	}
	got := e.standing()
	require.Equal(t, engine.TargetCount{Targets: 2, First: engine.TargetID{Kind: "Deployment", Namespace: "ns", Name: "f"}, Primitive: "scale", Why: "kubectl wrote it"}, got.Refused)
	require.Equal(t, engine.TargetCount{Targets: 2, First: engine.TargetID{Kind: "Deployment", Namespace: "ns", Name: "a"}, Primitive: "scale", Why: "scale failed 1 times in a row"}, got.Failed)
	require.Equal(t, 7, got.Held.Targets)
	require.Equal(t, byCooldown, got.Held.First.Name)

	e.in.Recheck = &engine.Approval{}
	require.Nil(t, e.standing(), "a recheck decides on one act")
}
