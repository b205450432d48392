package kubernetes

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/routerule"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// In Knative mode, the backends of an InferenceService are the newest revision of its
// predictor and the one before.
const (
	latestRevision   = "latest"
	previousRevision = "previous"
)

// inferenceService is KServe's. In Knative mode, the newest revision gets a percentage (100 by
// default), the one before gets the rest. In Standard mode, each canary gets a percentage, and
// the stable predictor gets the rest.
func inferenceService() trafficKind {
	return trafficKind{
		apiVersions: []string{inferenceVersion},
		fieldOf:     splitField,
		shift: func(o map[string]any, w verbparams.Traffic) ([]move, error) {
			if servingModeOf(o) == standardMode {
				return shiftCanaries(o, w.Weights)
			}
			return shiftRevisions(o, w.Weights)
		},
		settled: func(ctx context.Context, c *Cluster, o *object, w objectPatch) (engine.Outcome, error) {
			out, err := c.servedBy(ctx, o, servingPlan{Write: w})
			if err == nil && out.Status == engine.Running {
				out.Obstacle = failedModel(o.Object)
			}
			return out, err
		},
	}
}

// splitField returns the field that KServe reads in the deployment mode of an object, or an
// error where it reads none.
func splitField(ctx context.Context, c *Cluster, o *object) ([]string, error) {
	if err := stopped(o.Object); err != nil {
		return nil, err
	}
	switch mode := servingModeOf(o.Object); mode {
	case knativeMode:
		return []string{"spec", "predictor", "canaryTrafficPercent"}, nil
	case standardMode:
		if len(fieldpath.Maps(o.Object, "spec", "canary")) == 0 {
			if err := c.checkSplit(ctx, o); err != nil {
				return nil, err
			}
			return nil, errNoCanary
		}
		return []string{"spec", "canary"}, c.checkSplit(ctx, o)
	default:
		return nil, fmt.Errorf("can't share out its requests: %w", refuseMode(mode, "traffic"))
	}
}

func shiftRevisions(o map[string]any, weights map[string]int) ([]move, error) {
	both := []string{latestRevision, previousRevision}
	if err := routerule.CheckBackends(weights, both); err != nil {
		return nil, err
	}
	predictor, _ := fieldpath.Find(o, "spec", "predictor")
	fields, ok := predictor.(map[string]any)
	if !ok {
		return nil, errNoPredictor
	}
	now, has := weightIn(fields, "canaryTrafficPercent")
	if !has {
		now = 100
	}
	to := percent(weightsOf(weights, both))[latestRevision]
	if to != now {
		if to < 100 {
			if err := checkPrevious(o, false); err != nil {
				return nil, fmt.Errorf("can't give %s a share: %w", previousRevision, err)
			}
		}
		fields["canaryTrafficPercent"] = int64(to)
	}
	return []move{{backend: latestRevision, from: now, to: to}, {backend: previousRevision, from: 100 - now, to: 100 - to}}, nil
}

func shiftCanaries(o map[string]any, weights map[string]int) ([]move, error) {
	canaries := fieldpath.Maps(o, "spec", "canary")
	names, rest := []string{stableBackend}, 100
	for _, canary := range canaries {
		name := canaryName(canary)
		if name == stableBackend {
			return nil, fmt.Errorf("has a canary of the name %s, which stands for the stable predictor; name it otherwise", stableBackend)
		}
		names = append(names, name)
		rest -= canaryPercent(canary)
	}
	if err := routerule.CheckBackends(weights, names); err != nil {
		return nil, err
	}
	to := percent(weightsOf(weights, names))
	moves := []move{{backend: stableBackend, from: rest, to: to[stableBackend]}}
	for i, canary := range canaries {
		now, name := canaryPercent(canary), names[i+1]
		if now != to[name] {
			canary["trafficPercent"] = int64(to[name])
		}
		moves = append(moves, move{backend: name, from: now, to: to[name]})
	}
	return moves, nil
}
