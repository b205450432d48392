package local

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// decode reads the parameters of a proposal, and runs the checks on them if they can be
// read. The error names every mistake.
func decode[T any](p engine.Proposal, checks ...func(T) []string) (with T, err error) {
	mistakes := manifest.DecodeMap(p.With, &with)
	if len(mistakes) == 0 {
		for _, check := range checks {
			mistakes = append(mistakes, check(with)...)
		}
	}
	if len(mistakes) > 0 {
		err = fmt.Errorf("%s %s: %s", p.Primitive, p.Target.ID(), strings.Join(mistakes, "; "))
	}
	return with, err
}

// decodeFor is decode for a verb whose target is a Deployment.
func decodeFor[T any](p engine.Proposal, checks ...func(T) []string) (with T, to target, err error) {
	if with, err = decode(p, checks...); err == nil && p.Target.Kind != orchestrator.KindDeployment {
		err = fmt.Errorf("%s %s: the target's kind is %q; the local orchestrator can do that to a Deployment only", p.Primitive, p.Target.ID(), p.Target.Kind)
	}
	return with, target{p.Target.Namespace, p.Target.Name}, err
}

// target names the Deployment of a plan.
type target struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (t target) key() types.NamespacedName { return named(t.Namespace, t.Name) }

func named(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// outcome is that of an act which is done once its rollout has come far enough.
func outcome(done bool, r orchestrator.Rollout) engine.Outcome {
	if done {
		return engine.Outcome{Status: engine.Done, Detail: r.String()}
	}
	return engine.Outcome{Status: engine.Running, Detail: r.String(), Obstacle: r.Obstacle()}
}
