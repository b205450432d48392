package local

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// PlaceActuator is the verb `place`: on which nodes the pods of a Deployment may run, or
// the runs of a WorkflowTemplate or a CronJob, and with move those that are under way.
func PlaceActuator(o *Orchestrator) engine.Actuator { return placer{o} }

var (
	_ engine.Verifier = placer{}
	_ engine.Undoer   = placer{}
)

type placer struct{ o *Orchestrator }

// placeData goes from Plan to Apply, Verify and Undo.
type placeData struct {
	// Kind and Name are of the object that is placed; "" where only runs are.
	Kind      string     `json:"kind,omitempty"`
	Namespace string     `json:"namespace"`
	Name      string     `json:"name,omitempty"`
	Next      *placeWish `json:"next,omitempty"`
	Was       *placeWish `json:"was,omitempty"`
	// Runs are those under way that are placed too.
	Runs []placedRun `json:"runs,omitempty"`
	Move bool        `json:"move,omitempty"`
}

func (d *placeData) object() objectID { return objectID{d.Kind, key{d.Namespace, d.Name}} }

// placeWith refuses what local nodes can't mean.
func placeWith(m map[string]any) (w verbparams.Place, mistakes []string) {
	if mistakes = manifest.DecodeMap(m, &w); len(mistakes) > 0 {
		return w, mistakes
	}
	mistakes = cannotPlace(w.Placement)
	if w.Workflow != "" && w.Remove {
		mistakes = append(mistakes, "with.remove: a run keeps no record here of who gave it a term; take the term from its template, for the runs to come")
	}
	return w, mistakes
}

// cannotPlace names what local nodes can't mean.
func cannotPlace(p verbparams.Placement) (mistakes []string) {
	for _, label := range sortedKeys(p.NodeSelector) {
		if label != hostnameKey {
			mistakes = append(mistakes, fmt.Sprintf("with.nodeSelector.%s: local nodes have no such label; only %s can be selected", label, hostnameKey))
		}
	}
	for _, near := range []struct {
		field string
		*verbparams.Near
	}{{"antiAffinity", p.AntiAffinity}, {"affinity", p.Affinity}} {
		if near.Near != nil && near.TopologyKey != hostnameKey {
			mistakes = append(mistakes, fmt.Sprintf("with.%s.topologyKey: %q can't be honoured; only %s can: each local node is a host", near.field, near.TopologyKey, hostnameKey))
		}
	}
	return mistakes
}

// Plan adds to the terms that are there, and takes none away that is not ours.
func (a placer) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	w, mistakes := placeWith(p.With)
	if err := refuse(p, mistakes); err != nil {
		return engine.Change{}, err
	}
	data := placeData{Kind: p.Target.Kind, Namespace: p.Target.Namespace, Name: p.Target.Name, Move: w.Move}
	switch {
	case w.Template != "":
		data.Kind, data.Name = kindWorkflow, w.Template
	case w.Workflow != "":
		data.Kind, data.Name = "", ""
	}
	var diff []string
	if data.Kind != "" || data.Name != "" {
		var err error
		if diff, err = a.planObject(&data, w); err != nil {
			return engine.Change{}, fmt.Errorf("place %s: %w", data.object(), err)
		}
	}
	runs, err := a.planRuns(&data, w)
	if err != nil {
		return engine.Change{}, fmt.Errorf("place %w", err)
	}
	if diff = append(diff, runs...); len(diff) == 0 {
		return engine.Planned(p, true, "it is placed so already", data)
	}
	return engine.Planned(p, false, strings.Join(diff, "; "), data)
}

func (a placer) planObject(data *placeData, w verbparams.Place) (diff []string, err error) {
	a.o.mu.Lock()
	defer a.o.mu.Unlock()
	now, err := a.o.placeableOf(data.object())
	if err != nil {
		return nil, err
	}
	if err := hidden(now.own, w.Placement); err != nil {
		return nil, err
	}
	data.Was = now.was.orNone()
	if w.Remove {
		data.Next, diff, err = now.was.remove(now.declared, w.Placement)
	} else {
		data.Next, diff = now.was.add(now.declared, w.Placement)
	}
	if len(diff) > 0 && data.Kind == kindDeployment {
		diff = append(diff, "every pod is replaced")
	}
	return diff, err
}

// hidden is the error where a template's own affinity would count instead.
func hidden(by string, p verbparams.Placement) error {
	if by == "" || p.AntiAffinity == nil && p.Affinity == nil {
		return nil
	}
	return fmt.Errorf("its template %s has an affinity of its own, which counts instead of the workflow's: write the term there", by)
}

// Apply keeps the terms: pods of a Deployment are of an earlier template from now on, and
// steps that run where they may not be are ended.
func (a placer) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[placeData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if data.Name != "" {
		if err := a.o.setPlace(data.object(), data.Next, data.Was); err != nil {
			return engine.Outcome{}, fmt.Errorf("place %s: %w", data.object(), err)
		}
	}
	for _, run := range data.Runs {
		if err := a.place(data.Namespace, &run); err != nil {
			return engine.Outcome{}, fmt.Errorf("place run %s/%s: %w", data.Namespace, run.Name, err)
		}
	}
	return a.Verify(ctx, c)
}

// Verify is done once the pods have been replaced and are ready, and the steps that had
// to leave run elsewhere; for runs to come, once it is written down.
func (a placer) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[placeData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	out := engine.Outcome{Status: engine.Done}
	if data.Name != "" {
		if out, err = a.verifyObject(&data); err != nil {
			return engine.Outcome{}, fmt.Errorf("place %s: %w", data.object(), err)
		}
	}
	return a.verifyRuns(&data, out), nil
}

func (a placer) verifyObject(data *placeData) (engine.Outcome, error) {
	a.o.mu.Lock()
	defer a.o.mu.Unlock()
	now, err := a.o.placeableOf(data.object())
	if err != nil {
		return engine.Outcome{}, err
	}
	if !now.was.same(data.Next) {
		return engine.Outcome{Status: engine.Failed, Detail: errPlacedOtherwise.Error()}, nil
	}
	if data.Kind != kindDeployment {
		return engine.Outcome{Status: engine.Done, Detail: "the runs to come are placed so"}, nil
	}
	p, err := a.o.progress(data.object().key)
	if err != nil {
		return engine.Outcome{}, err
	}
	if p.settled() && p.leaving == 0 {
		return engine.Outcome{Status: engine.Done, Detail: p.String()}, nil
	}
	return engine.Outcome{Status: engine.Running, Detail: p.String()}, nil
}

// Undo puts back where the pods were allowed to run. Steps that were moved stay where
// they are.
func (a placer) Undo(_ context.Context, c engine.Change) (engine.Outcome, error) {
	data, err := engine.ReadPlan[placeData](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	var errs []error
	if data.Name != "" {
		errs = append(errs, a.undoObject(&data))
	}
	for _, run := range data.Runs {
		if err := a.unplace(data.Namespace, &run); err != nil {
			errs = append(errs, fmt.Errorf("run %s/%s: %w", data.Namespace, run.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return engine.Outcome{}, fmt.Errorf("undo place: %w", err)
	}
	return engine.Outcome{Status: engine.Done, Detail: "put back (was to be: " + c.Diff + ")"}, nil
}

func (a placer) undoObject(data *placeData) error {
	if err := a.o.setPlace(data.object(), data.Was, data.Next); err != nil {
		return fmt.Errorf("%s: %w", data.object(), err)
	}
	return nil
}
