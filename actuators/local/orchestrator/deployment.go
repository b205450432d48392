package orchestrator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ErrUnknownWorkload is the error for a Deployment that the orchestrator does not run.
var ErrUnknownWorkload = errors.New("no such Deployment is run here")

// ModelAnnotation, on a pod template, is the model version that the pods serve.
const ModelAnnotation = "scanflow.dev/model"

// restartAnnotation, on a pod template, is the identity of the change that restarted it.
const restartAnnotation = "scanflow.dev/restart"

// deployment is a Deployment with its override. It is replaced, never changed, but for
// pastRestarts.
type deployment struct {
	spec         appsv1.Deployment
	override     override
	template     corev1.PodTemplateSpec // with the override applied
	hash         string                 // of template
	pastRestarts int                    // of pods that are gone; guarded by Orchestrator.mu
}

func newDeployment(spec appsv1.Deployment, set override) *deployment {
	d := &deployment{spec: spec, override: set, template: *spec.Spec.Template.DeepCopy()}
	if set.Restart != "" {
		if d.template.Annotations == nil {
			d.template.Annotations = map[string]string{}
		}
		d.template.Annotations[restartAnnotation] = set.Restart
	}
	if set.Model != nil {
		set.Model.apply(&d.template)
	}
	if set.Placement != nil {
		at := set.Placement.Placement()
		d.template.Spec.NodeSelector, d.template.Spec.Affinity = at.NodeSelector, at.Affinity
	}
	raw, err := json.Marshal(d.template)
	if err != nil {
		panic(err) // an API type always marshals
	}
	sum := sha256.Sum256(raw)
	d.hash = hex.EncodeToString(sum[:5])
	return d
}

// declaredReplicas returns the replicas in the YAML.
func declaredReplicas(d *appsv1.Deployment) int {
	if d.Spec.Replicas == nil {
		return 1
	}
	return int(*d.Spec.Replicas)
}

// desired returns the replicas that SetReplicas set, or those in the YAML.
func (d *deployment) desired() int {
	if d.override.Replicas != nil {
		return d.override.Replicas.Wanted
	}
	return declaredReplicas(&d.spec)
}

// DeploymentStatus is the state of a Deployment at one moment.
type DeploymentStatus struct {
	Rollout
	// Template is that of new pods, with the model and the placement that were set. It
	// must not be changed.
	Template *corev1.PodTemplateSpec
	// Model is nil where the model is the YAML's.
	Model *ModelOverride
	// Restart is the identity of the change that last restarted the pods.
	Restart string
}

// Deployment returns the state of a Deployment.
func (o *Orchestrator) Deployment(name types.NamespacedName) (DeploymentStatus, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d, err := o.deploymentLocked(name)
	if err != nil {
		return DeploymentStatus{}, err
	}
	return DeploymentStatus{Rollout: o.rollout(name, d), Template: &d.template, Model: d.override.Model, Restart: d.override.Restart}, nil
}

func (o *Orchestrator) deploymentLocked(name types.NamespacedName) (*deployment, error) {
	d := o.deploys[name]
	switch {
	case d != nil:
		return d, nil
	case len(o.deploys) == 0:
		return nil, fmt.Errorf("%w; none is", ErrUnknownWorkload)
	}
	return nil, fmt.Errorf("%w; these are: %s", ErrUnknownWorkload, list(o.deploys))
}
