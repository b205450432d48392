package local

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// TrafficActuator is the verb `traffic`: the weights of an HTTPRoute in the
// target's namespace.
func TrafficActuator(o *Orchestrator) engine.Actuator { return shifter{o} }

var _ engine.Verifier = shifter{}

type shifter struct{ o *Orchestrator }

type trafficData struct {
	Namespace string         `json:"namespace"`
	Route     string         `json:"route"`
	Weights   map[string]int `json:"weights"` // of every backend
}

// Plan compares the weights of every backend with those asked for.
func (s shifter) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	w, mistakes := trafficWith(p.With)
	if err := refuse(p, mistakes); err != nil {
		return engine.Change{}, err
	}
	k, err := deploymentOf(p)
	if err != nil {
		return engine.Change{}, err
	}
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if s.o.deploys[k] == nil {
		return engine.Change{}, fmt.Errorf("traffic %s: %w", k, s.o.unknown())
	}
	at := key{k.namespace, w.Route}
	r := s.o.routes[at]
	if r == nil {
		return engine.Change{}, fmt.Errorf("traffic %s: there is no HTTPRoute %s; these are: %s", k, at, names(keysOf(s.o.routes)))
	}
	now := r.weights()
	wanted := map[string]int{}
	for name := range now {
		wanted[name] = w.Weights[name]
	}
	var unknown []string
	for _, name := range sortedKeys(w.Weights) {
		if _, ok := now[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return engine.Change{}, fmt.Errorf("traffic %s: HTTPRoute %s has no backend %s; it has: %s",
			k, at, strings.Join(unknown, ", "), strings.Join(sortedKeys(now), ", "))
	}
	var diff []string
	for _, b := range r.spec.Spec.Rules[0].BackendRefs {
		if now[b.Name] != wanted[b.Name] {
			diff = append(diff, fmt.Sprintf("%s %d -> %d", b.Name, now[b.Name], wanted[b.Name]))
		}
	}
	if len(diff) == 0 {
		return engine.Planned(p, true, "weights as they are", trafficData{at.namespace, at.name, wanted})
	}
	return engine.Planned(p, false, "weights "+strings.Join(diff, ", "), trafficData{at.namespace, at.name, wanted})
}

// Apply keeps the weights; the next request goes by them.
func (s shifter) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[trafficData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := s.o.setWeights(key{data.Namespace, data.Route}, data.Weights); err != nil {
		return engine.Outcome{}, fmt.Errorf("traffic: %w", err)
	}
	return s.Verify(ctx, c)
}

// Verify is done if the weights are still those.
func (s shifter) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[trafficData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	k := key{data.Namespace, data.Route}
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	r := s.o.routes[k]
	if r == nil {
		return engine.Outcome{}, fmt.Errorf("traffic: there is no HTTPRoute %s any more", k)
	}
	if !maps.Equal(r.weights(), data.Weights) {
		return engine.Outcome{Status: engine.Failed, Detail: "the weights were set by somebody else"}, nil
	}
	return engine.Outcome{Status: engine.Done}, nil
}

func names(keys []key) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.String()
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}
