package local

import (
	"context"
	"encoding/json"
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
	return planned(p, now == w.Replicas, fmt.Sprintf("replicas %d -> %d", now, w.Replicas),
		scaleData{k.namespace, k.name, w.Replicas})
}

// Apply keeps the number and starts to work towards it.
func (s scaler) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := readPlan[scaleData](c)
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
	data, err := readPlan[scaleData](c)
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

// planned puts a Change together.
func planned(p engine.Proposal, noOp bool, diff string, data any) (engine.Change, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return engine.Change{}, fmt.Errorf("%s: write the plan: %w", p.Primitive, err)
	}
	return engine.Change{Proposal: p, Identity: p.Identity, NoOp: noOp, Diff: diff, Data: raw}, nil
}

// readPlan is what Plan left for Apply and Verify.
func readPlan[T any](c engine.Change) (data T, err error) {
	if err := json.Unmarshal(c.Data, &data); err != nil {
		return data, fmt.Errorf("%s: read the plan: %w", c.Proposal.Primitive, err)
	}
	return data, nil
}

func (o *Orchestrator) progressOf(k key) (progress, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.progress(k)
}
