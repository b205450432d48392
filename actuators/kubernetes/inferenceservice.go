package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// What KServe calls its objects, annotations and deployment modes.
const (
	inferenceKind    = "InferenceService"
	inferenceVersion = kserveGroup + "/v1beta1"

	deploymentModeAnnotation  = kserveGroup + "/deploymentMode"
	autoscalerClassAnnotation = kserveGroup + "/autoscalerClass"
	stopAnnotation            = kserveGroup + "/stop"
)

// servingMode is how KServe runs an InferenceService. The fields that it reads depend on it.
type servingMode string

const (
	knativeMode  servingMode = "Knative"  // Serverless until KServe 0.16
	standardMode servingMode = "Standard" // RawDeployment until KServe 0.16
	meshMode     servingMode = "ModelMesh"
	unknownMode  servingMode = ""
)

func isInferenceService(apiVersion, kind string) bool {
	return kind == inferenceKind && strings.HasPrefix(apiVersion, kserveGroup+"/")
}

// servingModeOf returns the deployment mode as KServe finds it: by the status (since 0.15),
// then by the annotation. The default of its ConfigMap is not read, since the rights to do so
// reach beyond the object's namespace; revisions in the status are a sign of Knative.
func servingModeOf(o map[string]any) servingMode {
	for _, text := range []string{fieldpath.Text(o, "status", "deploymentMode"), fieldpath.Text(o, "metadata", "annotations", deploymentModeAnnotation)} {
		switch strings.ToLower(text) {
		case "knative", "serverless":
			return knativeMode
		case "standard", "rawdeployment":
			return standardMode
		case "modelmesh":
			return meshMode
		}
	}
	if fieldpath.Text(o, "status", "components", "predictor", "latestCreatedRevision") != "" {
		return knativeMode
	}
	return unknownMode
}

// refuseMode returns the error for a mode in which a parameter has no effect.
func refuseMode(mode servingMode, what string) error {
	if mode == meshMode {
		return fmt.Errorf("%s has no effect in the deployment mode ModelMesh; use Knative or Standard", what)
	}
	return fmt.Errorf("%s depends on its deployment mode, which neither status.deploymentMode nor the annotation %s shows; set the annotation to Knative or Standard, as it runs, or wait for KServe's controller", what, deploymentModeAnnotation)
}

// stopped returns an error for an InferenceService that KServe has been told to stop.
func stopped(o map[string]any) error {
	if strings.EqualFold(fieldpath.Text(o, "metadata", "annotations", stopAnnotation), "true") {
		return fmt.Errorf("is stopped by its annotation %s; remove that first", stopAnnotation)
	}
	return nil
}

// predictorService is the name of the Service and the Deployment of a predictor in Standard
// mode; of the stable one where name is "".
func predictorService(service, name string) string {
	if name == "" {
		return service + "-predictor"
	}
	return service + "-" + name + "-predictor"
}

func stableName(o map[string]any) string { return fieldpath.Text(o, "spec", "predictor", "name") }

// stableDeployment reads the Deployment of the stable predictor; nil where there is none yet.
// Those that an early KServe made have another name.
func (c *Cluster) stableDeployment(ctx context.Context, o *unstructured.Unstructured) (*object, error) {
	name := predictorService(o.GetName(), stableName(o.Object))
	for _, name := range []string{name, name + "-default"} {
		d, err := c.get(ctx, "apps/v1", "Deployment", o.GetNamespace(), name)
		if !apierrors.IsNotFound(err) {
			return d, err
		}
	}
	return nil, nil
}

// templateRevision is the annotation by which the Deployment controller counts templates.
const templateRevision = "deployment.kubernetes.io/revision"

// servingRevision returns the newest revision of the predictor: that of Knative, or of the
// Deployment's template. A new model makes a new one, and it is how a status of before is told
// apart: status.observedGeneration is that of a child (kserve/kserve#6081).
func (c *Cluster) servingRevision(ctx context.Context, o *unstructured.Unstructured) (string, error) {
	switch servingModeOf(o.Object) {
	case knativeMode:
		return fieldpath.Text(o.Object, "status", "components", "predictor", "latestCreatedRevision"), nil
	case standardMode:
		d, err := c.stableDeployment(ctx, o)
		if err != nil || d == nil {
			return "", err
		}
		return cmp.Or(d.GetAnnotations()[templateRevision], "0"), nil
	}
	n, _ := fieldpath.Int(o.Object, "status", "observedGeneration")
	return fmt.Sprint(n), nil
}

// modelAt returns the name of the predictor's field that has the storageUri: `model`, or a
// framework's.
func modelAt(predictor map[string]any) (string, error) {
	if _, has := predictor["model"].(map[string]any); has {
		return "model", nil
	}
	at := ""
	for name, field := range predictor {
		if framework, ok := field.(map[string]any); ok && framework["storageUri"] != nil {
			at = max(at, name)
		}
	}
	if at == "" {
		return "", errors.New("its predictor has neither a model nor a framework with a storageUri")
	}
	return at, nil
}
