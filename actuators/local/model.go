package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// ModelServeActuator is the verb `model.serve`: which model the pods of a Deployment
// serve. They are replaced, new ones first.
func ModelServeActuator(o *Orchestrator) engine.Actuator { return modeler{o} }

var (
	_ engine.Verifier = modeler{}
	_ engine.Undoer   = modeler{}
)

type modeler struct{ o *Orchestrator }

// modelData is what Plan tells Apply, Verify and Undo.
type modelData struct {
	Namespace string     `json:"namespace"`
	Name      string     `json:"name"`
	Field     modelField `json:"field"`
	Version   string     `json:"version"`
	// Was is what was asked for before; nil where the YAML had its way.
	Was *modelWish `json:"was"`
}

func (d *modelData) key() key { return key{d.Namespace, d.Name} }

// modelWith refuses what a Deployment can't mean.
func modelWith(m map[string]any) (w verbparams.ModelServe, mistakes []string) {
	if mistakes = manifest.DecodeMap(m, &w); len(mistakes) > 0 {
		return w, mistakes
	}
	if w.CanaryPercent != nil {
		mistakes = append(mistakes, "with.canaryPercent: a Deployment has none; run the new model as a workload of its own, and share out the requests by traffic")
	}
	if w.Env == "" && w.Argument == "" {
		mistakes = append(mistakes, "with.env: say how the container is told its model, by env or by argument")
	}
	return w, mistakes
}

// Plan compares what the template says with what is asked for.
func (m modeler) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	w, mistakes := modelWith(p.With)
	if err := refuse(p, mistakes); err != nil {
		return engine.Change{}, err
	}
	k, err := deploymentOf(p)
	if err != nil {
		return engine.Change{}, err
	}
	data := modelData{Namespace: k.namespace, Name: k.name, Version: cmp.Or(w.Version, w.URI)}
	data.Field = modelField{Container: w.Container, Env: w.Env, Argument: w.Argument, Wanted: cmp.Or(w.URI, w.Version)}
	m.o.mu.Lock()
	defer m.o.mu.Unlock()
	d := m.o.deploys[k]
	if d == nil {
		return engine.Change{}, fmt.Errorf("model.serve %s: %w", k, m.o.unknown())
	}
	now, err := data.Field.value(&d.template)
	if err != nil {
		return engine.Change{}, fmt.Errorf("model.serve %s: %w", k, err)
	}
	data.Was = d.wish.Model
	var diff []string
	if now == nil || *now != data.Field.Wanted {
		was := "nothing"
		if now != nil {
			was = *now
		}
		diff = append(diff, fmt.Sprintf("%s %s -> %s", cmp.Or(w.Env, w.Argument), was, data.Field.Wanted))
	}
	if was := d.template.Annotations[ModelAnnotation]; was != data.Version {
		diff = append(diff, fmt.Sprintf("model %s -> %s", cmp.Or(was, "unknown"), data.Version))
	}
	if len(diff) == 0 {
		return engine.Planned(p, true, "it serves that already", data)
	}
	return engine.Planned(p, false, strings.Join(diff, ", "), data)
}

// Apply keeps what is asked for: the pods are of an earlier template from now on.
func (m modeler) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[modelData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := m.o.setModel(data.key(), data.Field, data.Version); err != nil {
		return engine.Outcome{}, fmt.Errorf("model.serve %s: %w", data.key(), err)
	}
	return m.Verify(ctx, c)
}

// Verify is done once all pods serve the model and are ready, and the old ones gone.
func (m modeler) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[modelData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	m.o.mu.Lock()
	defer m.o.mu.Unlock()
	p, err := m.o.progress(data.key())
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("model.serve %s: %w", data.key(), err)
	}
	if !m.o.deploys[data.key()].wish.Model.says(data.Field, data.Version) {
		return engine.Outcome{Status: engine.Failed, Detail: "the model was set by somebody else since"}, nil
	}
	if p.settled() && p.leaving == 0 {
		return engine.Outcome{Status: engine.Done, Detail: p.String()}, nil
	}
	return engine.Outcome{Status: engine.Running, Detail: p.String()}, nil
}

// errOverruled says that there is nothing of ours to put back.
var errOverruled = errors.New("the model was set by somebody else since, and is left alone")

// Undo has the pods serve again what they served before.
func (m modeler) Undo(_ context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[modelData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := m.o.putModelBack(data.key(), &data); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Done, Detail: "put back (was to be: " + c.Diff + ")"}, nil
}
