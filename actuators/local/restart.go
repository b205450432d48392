package local

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

// RestartActuator is the verb `restart`: every pod of a Deployment is replaced, new
// ones first.
func RestartActuator(o *Orchestrator) engine.Actuator { return restarter{o} }

var _ engine.Verifier = restarter{}

type restarter struct{ o *Orchestrator }

type restartData struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Identity  string `json:"identity"`
}

// Plan is a no-op where this very change has restarted the pods already.
func (r restarter) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	if err := refuse(p, restartWith(p.With)); err != nil {
		return engine.Change{}, err
	}
	k, err := deploymentOf(p)
	if err != nil {
		return engine.Change{}, err
	}
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	d := r.o.deploys[k]
	if d == nil {
		return engine.Change{}, fmt.Errorf("restart %s: %w", k, r.o.unknown())
	}
	pods := 0
	for _, m := range r.o.of(k) {
		if !m.going {
			pods++
		}
	}
	return engine.Planned(p, p.Identity != "" && d.wish.Restart == p.Identity, fmt.Sprintf("pods to replace, one after another: %d", pods),
		restartData{k.namespace, k.name, p.Identity})
}

// Apply marks the template with the change's identity: its pods are of an earlier
// template from now on.
func (r restarter) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[restartData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	k := key{data.Namespace, data.Name}
	if data.Identity == "" {
		return engine.Outcome{}, fmt.Errorf("restart %s: the change has no identity, by which it could be told from an earlier one", k)
	}
	if err := r.o.setRestart(k, data.Identity); err != nil {
		return engine.Outcome{}, fmt.Errorf("restart %s: %w", k, err)
	}
	return r.Verify(ctx, c)
}

// Verify is done once all pods are new and ready, and the old ones gone.
func (r restarter) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[restartData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	k := key{data.Namespace, data.Name}
	p, err := r.o.progressOf(k)
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("restart %s: %w", k, err)
	}
	if p.settled() && p.leaving == 0 {
		return engine.Outcome{Status: engine.Done, Detail: p.String()}, nil
	}
	return engine.Outcome{Status: engine.Running, Detail: p.String()}, nil
}
