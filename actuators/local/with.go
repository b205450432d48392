package local

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// scaleWith reads parameters, and names every mistake.
func scaleWith(m map[string]any) (w verbparams.Scale, mistakes []string) {
	mistakes = manifest.DecodeMap(m, &w)
	return w, mistakes
}

func trafficWith(m map[string]any) (w verbparams.Traffic, mistakes []string) {
	mistakes = manifest.DecodeMap(m, &w)
	if len(mistakes) == 0 && w.Kind != kindRoute {
		mistakes = []string{"with.kind: the local orchestrator has HTTPRoutes only, not " + w.Kind}
	}
	return w, mistakes
}

// workflowWith refuses what local nodes can't mean.
func workflowWith(m map[string]any) (w verbparams.WorkflowRun, mistakes []string) {
	if mistakes = manifest.DecodeMap(m, &w); len(mistakes) > 0 {
		return w, mistakes
	}
	return w, cannotPlace(w.Placement)
}

func restartWith(m map[string]any) []string { return manifest.DecodeMap(m, &verbparams.Restart{}) }

// refuse is the error for parameters with mistakes; nil if there are none.
func refuse(p engine.Proposal, mistakes []string) error {
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("%s %s: %s", p.Primitive, p.Target.ID(), strings.Join(mistakes, "; "))
}

// deploymentOf is the Deployment that a proposal is about.
func deploymentOf(p engine.Proposal) (key, error) {
	if p.Target.Kind != kindDeployment {
		return key{}, fmt.Errorf("%s %s: the target's kind is %q; the local orchestrator can do that to a Deployment only",
			p.Primitive, p.Target.ID(), p.Target.Kind)
	}
	return key{p.Target.Namespace, p.Target.Name}, nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
