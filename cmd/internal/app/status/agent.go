package status

import (
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// recentFor is how long policies or a Secret that an agent lacks may still come, before it
// counts as stalled: a kubelet takes a minute or more to bring a ConfigMap to a pod.
const recentFor = 2 * time.Minute

// agent holds the state of one agent, from which its status is made.
type agent struct {
	name       types.NamespacedName
	generation int64
	refused    Refusal
	running    map[string]any
	hash       string // of the spec that runs
	// since is when that spec began to run; zero where it ran before this process knew the agent.
	since time.Time
	// unjudged is set until the agent is judged, in each term anew.
	unjudged bool
	mode     engine.Mode
	shown    manifest.Status // when it was judged

	targets  int
	last     *manifest.LastDecision
	blocked  string
	problems []string
	missing  map[string]*missing // by right
	withheld []string
	// overlaps are the other agents that write a field of its targets.
	overlaps []string
	// probed and secretsKnown are set once that was found out for the spec that runs.
	probed, secretsKnown bool
	// awaits identifies what recentUntil is about.
	awaits      string
	recentUntil time.Time
	counts
}

func newAgent(name types.NamespacedName) *agent {
	return &agent{name: name, unjudged: true, missing: map[string]*missing{}, counts: newCounts()}
}

// termBegins forgets what was found in an earlier term: another leader may have ended it.
func (a *agent) termBegins() {
	a.unjudged, a.probed, a.secretsKnown = true, false, false
	a.last, a.blocked, a.problems, a.overlaps = nil, "", nil, nil
	a.missing, a.counts = map[string]*missing{}, newCounts()
}

func (a *agent) judged(j Judgement, now time.Time) {
	another := !reflect.DeepEqual(a.running, j.Running)
	if another || a.generation != j.Generation {
		a.probed, a.secretsKnown = false, false
	}
	switch {
	case a.unjudged && j.shownRuns():
		a.showMissing(j.Shown.MissingRights, now)
	case a.unjudged || another:
		a.missing, a.since = map[string]*missing{}, now
	}
	a.unjudged = false
	a.generation, a.refused, a.running, a.hash, a.mode, a.shown = j.Generation, j.Refused, j.Running, j.Hash, j.Mode, j.Shown
	a.setRecent(now)
}

// setRecent starts the time in which a fault may pass by itself, when the fault is new. One
// that the cluster shows as stalled already is not.
func (a *agent) setRecent(now time.Time) {
	s := a.situation(true)
	f := s.fault()
	if f == nil || !f.passes || f.reason != ReasonUnfit && f.reason != agentcr.ReasonSecretsWithheld {
		a.awaits, a.recentUntil = "", time.Time{}
		return
	}
	awaits := f.reason + "\n" + f.message
	if a.awaits == awaits {
		return
	}
	a.awaits, a.recentUntil = awaits, now.Add(recentFor)
	if c := a.shown.Condition(manifest.Stalled); c != nil && c.Status == "True" && c.ObservedGeneration == a.generation && c.Reason == f.reason {
		a.recentUntil = time.Time{}
	}
}

func (a *agent) situation(recent bool) situation {
	missing, _ := a.confirmed()
	return situation{
		refused: a.refused, running: a.running != nil, mode: a.mode, missing: missing, withheld: a.withheld, overlaps: a.overlaps,
		blocked: a.blocked, problems: a.problems, recent: recent,
	}
}

func (a *agent) status(revision string, now time.Time) agentcr.Status {
	out := agentcr.Status{
		ObservedGeneration: a.generation, Conditions: conditions(a.situation(now.Before(a.recentUntil))),
		Targets: a.targets, PolicyRevision: revision, LastDecision: a.last,
	}
	if a.refused.Reason != "" {
		out.LastGood = a.running
	}
	out.Refused, out.Failed, out.Held = a.refusedTargets, a.failedTargets, a.heldTargets
	missing, _ := a.confirmed()
	for _, e := range missing {
		out.MissingRights = append(out.MissingRights, agentcr.MissingRight(e))
	}
	return out
}
