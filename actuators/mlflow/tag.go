package mlflow

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Tag is the verb `run.tag`. It sets a tag of a run.
func Tag(r *Registry) engine.Actuator { return tagger{r} }

type tagger struct{ *Registry }

// tagPlan is the new tag and its value before.
type tagPlan struct {
	verbparams.RunTag
	Was   *string `json:"was"` // nil without the tag
	Agent string  `json:"agent"`
}

// Plan reads the tag's present value.
func (a tagger) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	next := tagPlan{Agent: p.Agent}
	if err := refuse(p, manifest.DecodeMap(p.With, &next.RunTag)); err != nil {
		return engine.Change{}, err
	}
	var err error
	if next.Was, err = a.read(ctx, &next); err != nil {
		return engine.Change{}, classify(fmt.Errorf("%s: %w", p.Primitive, err))
	}
	if next.Was != nil && *next.Was == next.Value {
		return engine.Planned(p, true, fmt.Sprintf("run %s: %s is %q already", next.RunID, next.Key, next.Value), next)
	}
	was := "none"
	if next.Was != nil {
		was = fmt.Sprintf("%q", *next.Was)
	}
	return engine.Planned(p, false, fmt.Sprintf("run %s: %s %s -> %q", next.RunID, next.Key, was, next.Value), next)
}

func (a tagger) read(ctx context.Context, p *tagPlan) (*string, error) {
	run, err := a.clientOf(p.Agent).Run(ctx, p.RunID)
	if err != nil {
		return nil, err
	}
	if value, has := run.Tags[p.Key]; has {
		return &value, nil
	}
	return nil, nil
}

// Apply writes the tag, unless it was changed since the plan was made.
func (a tagger) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	p, err := engine.ReadPlan[tagPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	now, err := a.read(ctx, &p)
	switch {
	case err != nil:
	case same(now, &p.Value):
		return engine.Outcome{Status: engine.Done, Detail: c.Diff}, nil
	case !same(now, p.Was):
		err = fmt.Errorf("tag %s of run %s: %w", p.Key, p.RunID, ErrMoved)
	default:
		err = a.clientOf(p.Agent).SetRunTag(ctx, p.RunID, p.Key, p.Value)
	}
	if err != nil {
		return engine.Outcome{}, classify(fmt.Errorf("%s: %w", c.Proposal.Primitive, err))
	}
	return engine.Outcome{Status: engine.Done, Detail: c.Diff}, nil
}

func same(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
