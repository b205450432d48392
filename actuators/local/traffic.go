package local

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
	"github.com/scanflow-k8s/scanflow/actuators/routerule"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Traffic is the verb `traffic`: it sets the weights of an HTTPRoute in the target's
// namespace.
func Traffic(o *orchestrator.Orchestrator) engine.Actuator { return shifter{o} }

var _ engine.Verifier = shifter{}

type shifter struct{ o *orchestrator.Orchestrator }

type trafficPlan struct {
	Namespace string         `json:"namespace"`
	Route     string         `json:"route"`
	Weights   map[string]int `json:"weights"` // of every backend
}

func (p *trafficPlan) key() types.NamespacedName { return named(p.Namespace, p.Route) }

func checkTraffic(with verbparams.Traffic) []string {
	if with.Kind != orchestrator.KindRoute {
		return []string{"with.kind: the local orchestrator has HTTPRoutes only, not " + with.Kind}
	}
	return nil
}

// Plan compares the weights of every backend with the requested ones.
func (s shifter) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	with, to, err := decodeFor(p, checkTraffic)
	if err != nil {
		return engine.Change{}, err
	}
	plan := trafficPlan{to.Namespace, with.Route, map[string]int{}}
	if _, err := s.o.Deployment(to.key()); err != nil {
		return engine.Change{}, fmt.Errorf("traffic %s: %w", to.key(), err)
	}
	r, err := s.o.Route(plan.key())
	if err != nil {
		return engine.Change{}, fmt.Errorf("traffic %s: %w", to.key(), err)
	}
	if _, err := routerule.Choose([]routerule.Rule{ruleOf(r)}, with.Rule, with.Weights); err != nil {
		return engine.Change{}, fmt.Errorf("traffic %s: HTTPRoute %s %w", to.key(), plan.key(), err)
	}
	var diff []string
	for _, b := range r.Backends {
		plan.Weights[b.Service] = with.Weights[b.Service]
		if b.Weight != with.Weights[b.Service] {
			diff = append(diff, fmt.Sprintf("%s %d -> %d", b.Service, b.Weight, with.Weights[b.Service]))
		}
	}
	if len(diff) == 0 {
		return engine.Planned(p, true, "weights as they are", plan)
	}
	return engine.Planned(p, false, "weights "+strings.Join(diff, ", "), plan)
}

// ruleOf returns the one rule that a route has here.
func ruleOf(r router.Route) routerule.Rule {
	out := routerule.Rule{Path: "spec.rules[0]", Name: r.Rule}
	for _, b := range r.Backends {
		out.Backends = append(out.Backends, b.Service)
		out.Weights = append(out.Weights, b.Weight)
	}
	return out
}

// Apply sets the weights.
func (s shifter) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[trafficPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := s.o.SetWeights(plan.key(), plan.Weights); err != nil {
		return engine.Outcome{}, fmt.Errorf("traffic: %w", err)
	}
	return s.Verify(ctx, c)
}

// Verify is done if the weights have not been set again.
func (s shifter) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[trafficPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	r, err := s.o.Route(plan.key())
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("traffic: %w", err)
	}
	now := map[string]int{}
	for _, b := range r.Backends {
		now[b.Service] = b.Weight
	}
	if !maps.Equal(now, plan.Weights) {
		return engine.Outcome{Status: engine.Failed, Detail: "the weights were set by somebody else"}, nil
	}
	return engine.Outcome{Status: engine.Done}, nil
}
