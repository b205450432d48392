package local

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

// ScaleActuator is the verb `scale`: so many replicas of a Deployment.
func ScaleActuator(o *Orchestrator) engine.Actuator { return scaler{o} }

var _ engine.Verifier = scaler{}

type scaler struct{ o *Orchestrator }

// scaleData is what Plan tells Apply and Verify.
type scaleData struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Replicas  int    `json:"replicas"`
}

// Plan compares the replicas desired with those asked for.
func (s scaler) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	w, mistakes := scaleWith(p.With)
	if err := refuse(p, mistakes); err != nil {
		return engine.Change{}, err
	}
	k, err := deploymentOf(p)
	if err != nil {
		return engine.Change{}, err
	}
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	d := s.o.deploys[k]
	if d == nil {
		return engine.Change{}, fmt.Errorf("scale %s: %w", k, s.o.unknown())
	}
	now := d.desired()
	return engine.Planned(p, now == w.Replicas, fmt.Sprintf("replicas %d -> %d", now, w.Replicas),
		scaleData{k.namespace, k.name, w.Replicas})
}

// Apply keeps the number and starts to work towards it.
func (s scaler) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[scaleData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	k := key{data.Namespace, data.Name}
	if err := s.o.setReplicas(k, data.Replicas); err != nil {
		return engine.Outcome{}, fmt.Errorf("scale %s: %w", k, err)
	}
	return s.Verify(ctx, c)
}

// Verify is done once the ready replicas match.
func (s scaler) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[scaleData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	k := key{data.Namespace, data.Name}
	p, err := s.o.progressOf(k)
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("scale %s: %w", k, err)
	}
	if p.desired != data.Replicas {
		return engine.Outcome{Status: engine.Failed, Detail: fmt.Sprintf("replicas were set to %d by somebody else", p.desired)}, nil
	}
	if p.ready+p.oldReady == p.desired && p.current+p.old == p.desired {
		return engine.Outcome{Status: engine.Done, Detail: p.String()}, nil
	}
	return engine.Outcome{Status: engine.Running, Detail: p.String()}, nil
}

func (o *Orchestrator) progressOf(k key) (progress, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.progress(k)
}
