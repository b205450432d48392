package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// accepted are the custom resources that run, each as it was when it was last right.
// One goroutine (judgeAgents) has it.
type accepted struct {
	by map[string]*acceptedAgent
	// replaced still run, until the next Apply has ended them.
	replaced []*acceptedAgent
	// logged is what the log said last of each.
	logged map[string]string
}

type acceptedAgent struct {
	agent   *manifest.Agent
	spec    engine.Spec
	written map[string]any // the spec as it was written
	uid     types.UID
}

// follow begins to follow the agent's targets. It comes before the release of an
// earlier spec, so that what both need is never let go of.
func (a *acceptedAgent) follow() {
	if f, ok := a.spec.Fleet.(*clusterview.Fleet); ok {
		f.Follow()
	}
}

// release gives up what the agent's fleet and sensors follow.
func (a *acceptedAgent) release() {
	followers := []any{a.spec.Fleet}
	for _, s := range a.spec.Sensors {
		followers = append(followers, s.Sensor)
	}
	for _, f := range followers {
		if f, ok := f.(interface{ Release() }); ok {
			f.Release()
		}
	}
}

// judgeAgents takes up the agents of the cluster as they change, and again when
// other policies are live or a term begins.
func (s *System) judgeAgents(ctx context.Context) {
	if err := s.cluster.source.Synced(ctx); err != nil {
		return // ctx ended: what is wrong until then the source has logged
	}
	known := sync.OnceFunc(func() { close(s.cluster.judged) })
	for {
		s.judge(s.cluster.source.Agents())
		known()
		if s.Policies.Status().Err != nil {
			// Policies that did not go with the agents of before may go with these; if not,
			// the store has said why.
			_ = s.Policies.Load(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.cluster.source.Changed():
		case <-s.reloads.swapped:
		case <-s.cluster.kick:
		}
	}
}

// isDeclared reports whether an agent is there, though it may be refused.
func (c *cluster) isDeclared(agent string) bool {
	names := c.declared.Load()
	return names == nil || (*names)[agent]
}

// judge accepts each agent by itself: one that is wrong runs on as it last was right,
// and its status says what is wrong with it.
func (s *System) judge(found []agentcr.Found) {
	k, rev := s.cluster, s.Policies.Live()
	present := map[string]bool{}
	for _, f := range found {
		name := types.NamespacedName{Namespace: f.Namespace, Name: f.Name}
		present[name.String()] = true
		if was := k.accepted.by[name.String()]; was != nil && was.uid != f.UID { // deleted, and made anew
			k.accepted.replaced = append(k.accepted.replaced, was)
			delete(k.accepted.by, name.String())
		}
		refused := s.take(name.String(), f, rev)
		k.board.judged(name, f.Generation, refused, k.accepted.by[name.String()])
		s.logJudged(name.String(), f.Generation, refused)
	}
	for name := range k.accepted.logged {
		if !present[name] {
			delete(k.accepted.logged, name)
			s.opts.Log.Info("agent deleted", "agent", name)
		}
	}
	k.declared.Store(&present)
	var agents []*manifest.Agent
	var specs []engine.Spec
	for _, name := range slices.Sorted(maps.Keys(k.accepted.by)) {
		a := k.accepted.by[name]
		if !present[name] {
			k.accepted.replaced = append(k.accepted.replaced, a)
			delete(k.accepted.by, name)
			k.board.gone(name)
			continue
		}
		agents, specs = append(agents, a.agent), append(specs, a.spec)
	}
	k.keep(specs)
	s.apply(agents, specs)
	for _, a := range k.accepted.replaced { // only now: nothing uses it any more
		a.release()
	}
	k.accepted.replaced = nil
	k.board.report(s.Policies.Status().Revision)
	signal(k.applied)
}

// logJudged says once how an agent was judged, for whoever reads the log first.
func (s *System) logJudged(name string, generation int64, refused refusal) {
	k := s.cluster
	says := fmt.Sprint(generation, refused)
	if k.accepted.logged[name] == says {
		return
	}
	k.accepted.logged[name] = says
	switch runs := k.accepted.by[name] != nil; {
	case refused.reason == "":
		s.opts.Log.Info("agent accepted", "agent", name, "generation", generation)
	case runs:
		s.opts.Log.Warn("agent refused, the last good one runs on", "agent", name, "generation", generation, "error", refused.message)
	default:
		s.opts.Log.Warn("agent refused", "agent", name, "generation", generation, "error", refused.message)
	}
}

// take accepts one agent, and returns what is wrong with it otherwise. Where a process
// starts with an agent that is wrong, the last good spec is in its status.
func (s *System) take(name string, f agentcr.Found, rev *policy.Revision) (refused refusal) {
	refused = s.accept(name, f, f.Agent, f.Spec, rev)
	if refused.reason != "" && s.cluster.accepted.by[name] == nil && f.LastGood != nil {
		_ = s.accept(name, f, f.LastGood, f.LastGoodSpec, rev) // nothing is lost if that is wrong by now
	}
	return refused
}

func (s *System) accept(name string, f agentcr.Found, agent *manifest.Agent, written map[string]any, rev *policy.Revision) refusal {
	if agent == nil {
		return refusal{"Invalid", f.Mistakes.Error()}
	}
	was := s.cluster.accepted.by[name]
	if unfit := unfitStrategies(agent, rev); len(unfit) > 0 {
		return refusal{"UnfitForPolicies", unfit.Error()}
	}
	if generation, err := agent.Generation(); err == nil && was != nil && was.spec.Generation == generation {
		was.written = written
		return refusal{}
	}
	spec, err := specOf(agent, s.surroundings())
	if err != nil {
		return refusal{"Invalid", err.Error()}
	}
	is := &acceptedAgent{agent: agent, spec: spec, written: written, uid: f.UID}
	is.follow()
	s.warnIdle(agent)
	s.cluster.accepted.by[name] = is
	if was != nil {
		s.cluster.accepted.replaced = append(s.cluster.accepted.replaced, was)
	}
	return refusal{}
}
