package wiring

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/resource"
)

// accepted are the custom resources that run, each as it was when it was last right.
// One goroutine (judgeAgents) has it.
type accepted struct {
	by map[string]*acceptedAgent
	// replaced still run, until the next Apply has ended them.
	replaced []*acceptedAgent
}

type acceptedAgent struct {
	agent *manifest.Agent
	spec  engine.Spec
}

// follow begins to follow the agent's targets. It comes before the release of an
// earlier spec, so that what both need is never let go of.
func (a *acceptedAgent) follow() {
	if f, ok := a.spec.Fleet.(*kubernetes.Fleet); ok {
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
	for {
		s.judge(s.cluster.source.Agents())
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

// judge accepts each agent by itself: one that is wrong runs on as it last was right,
// and its status says what is wrong with it.
func (s *System) judge(found []resource.Found) {
	k, rev := s.cluster, s.Policies.Live()
	present := map[string]bool{}
	for _, f := range found {
		name := types.NamespacedName{Namespace: f.Namespace, Name: f.Name}
		present[name.String()] = true
		refused := s.take(name.String(), f, rev)
		k.board.judged(name, f.Generation, refused, k.accepted.by[name.String()] != nil)
	}
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
	s.apply(agents, specs)
	for _, a := range k.accepted.replaced { // only now: nothing uses it any more
		a.release()
	}
	k.accepted.replaced = nil
	k.board.report(s.Policies.Status().Revision)
}

// take accepts one agent, and returns what is wrong with it otherwise.
func (s *System) take(name string, f resource.Found, rev *policy.Revision) (refused refusal) {
	if f.Agent == nil {
		return refusal{"Invalid", mistakesText(f.Mistakes)}
	}
	was := s.cluster.accepted.by[name]
	if unfit := unfitStrategies(f.Agent, rev); len(unfit) > 0 {
		return refusal{"UnfitForPolicies", unfit.Error()}
	}
	if generation, err := f.Agent.Generation(); err == nil && was != nil && was.spec.Generation == generation {
		return refusal{}
	}
	spec, err := specOf(f.Agent, s.surroundings())
	if err != nil {
		return refusal{"Invalid", err.Error()}
	}
	is := &acceptedAgent{f.Agent, spec}
	is.follow()
	s.cluster.accepted.by[name] = is
	if was != nil {
		s.cluster.accepted.replaced = append(s.cluster.accepted.replaced, was)
	}
	return refusal{}
}

func mistakesText(m manifest.Mistakes) string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = fmt.Sprint(one)
	}
	return strings.Join(lines, "\n")
}
