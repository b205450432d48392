package kubernetes

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/with"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Annotate is the verb `annotate`: annotations on the target itself. Those that it
// set before stay.
func Annotate(c *Cluster) engine.Actuator { return annotator{c} }

type annotator struct{ *Cluster }

// Plan is a no-op where the target has these annotations.
func (a annotator) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w with.Annotate
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	t := p.Target
	o, err := a.get(ctx, t.APIVersion, t.Kind, t.Namespace, t.Name)
	if err != nil {
		return engine.Change{}, fmt.Errorf("annotate: %w", err)
	}
	next := map[string]any{}
	for key, value := range w.Annotations {
		next[key] = value
	}
	set := map[string]any{"metadata": map[string]any{"annotations": next}}
	write := writeTo(o, "annotate", merged(ownOf(o, managerOf("annotate")), set))
	changes := changesBetween(write.Before, write.Set)
	if len(changes) == 0 {
		return planned(p, true, fmt.Sprintf("%s is so already", write), writePlan{Write: write})
	}
	taken, err := mayTakeAll(o, p, changes)
	if err != nil {
		return engine.Change{}, fmt.Errorf("annotate %s: %w", write, err)
	}
	return planned(p, false, fmt.Sprintf("%s: %s%s", write, diffOf(changes), taken), writePlan{Write: write})
}

// Apply writes the annotations.
func (a annotator) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := readPlan[writePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := a.apply(ctx, plan.Write); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Done, Detail: fmt.Sprintf("%s is annotated", plan.Write)}, nil
}
