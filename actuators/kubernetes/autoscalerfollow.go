package kubernetes

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// waits is the outcome of an autoscaler that its controller does not follow yet; obstacle is
// "" where it only takes time.
func waits(w objectPatch, why, obstacle string) engine.Outcome {
	return engine.Outcome{Status: engine.Running, Detail: fmt.Sprintf("%s is written: %s", w, why), Obstacle: obstacle}
}

// conditionOf returns a condition's status, reason and message.
func conditionOf(o *object, name string) (status, why string) {
	for _, c := range fieldpath.Maps(o.Object, "status", "conditions") {
		if fieldpath.Text(c, "type") == name {
			return fieldpath.Text(c, "status"), fieldpath.Text(c, "reason") + ": " + fieldpath.Text(c, "message")
		}
	}
	return "", ""
}

// followedByKEDA returns the state of a ScaledObject. KEDA makes a HorizontalPodAutoscaler of
// it, whose bounds show what KEDA has taken up; the ScaledObject itself reports no generation.
func (b autoscalerVerb) followedByKEDA(ctx context.Context, o *object, w objectPatch) (engine.Outcome, error) {
	if pause := clusterview.KEDAPauseOf(o.GetAnnotations()); pause.Whole {
		return waits(w, fmt.Sprintf("KEDA follows none of its bounds while it is %s", pause), fmt.Sprintf("%s is %s; to resume it: %s", w, pause, pause.Resume(w.Namespace, w.Name))), nil
	}
	if status, why := conditionOf(o, "Ready"); status == "False" {
		return waits(w, "KEDA reports it as not ready: "+why, why), nil
	}
	name := fieldpath.Text(o.Object, "status", "hpaName")
	if name == "" {
		name = "keda-hpa-" + o.GetName()
	}
	made, err := b.get(ctx, clusterview.HPAVersion, verbparams.HorizontalPodAutoscaler, w.Namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return waits(w, fmt.Sprintf("KEDA has not made its HorizontalPodAutoscaler %s", name), ""), nil
	case err != nil:
		return engine.Outcome{}, err
	}
	f := fieldsOf(verbparams.ScaledObject)
	low, high := boundsIn(o, f)
	low = max(low, 1) // KEDA itself scales from and to zero
	if hasLow, hasHigh := boundsIn(made, fieldsOf(verbparams.HorizontalPodAutoscaler)); hasLow != low || hasHigh != high {
		return waits(w, fmt.Sprintf("KEDA's HorizontalPodAutoscaler %s has %d to %d replicas, and not yet %d to %d", name, hasLow, hasHigh, low, high), ""), nil
	}
	return engine.Outcome{Status: engine.Done, Detail: fmt.Sprintf("%s is written, and KEDA's HorizontalPodAutoscaler %s has %d to %d replicas", w, name, low, high)}, nil
}

// boundsIn returns the bounds of an autoscaler, or the defaults of its kind.
func boundsIn(o *object, f scalerFields) (low, high int64) {
	low, high = int64(f.leastMin), int64(f.leastMax)
	if n, ok := fieldpath.Int(o.Object, "spec", f.min); ok {
		low = n
	}
	if n, ok := fieldpath.Int(o.Object, "spec", f.max); ok {
		high = n
	}
	return low, high
}

// followedByHPA returns the state of a HorizontalPodAutoscaler. Its controller reports the
// generation that it has seen in Kubernetes 1.37 and newer; in older ones, the replicas that
// it asks for show that it keeps to the bounds.
func followedByHPA(o *object, w objectPatch) engine.Outcome {
	if status, why := conditionOf(o, "AbleToScale"); status == "False" {
		return waits(w, "its controller can't scale: "+why, why)
	}
	active, why := conditionOf(o, "ScalingActive")
	if active == "" {
		return waits(w, "its controller has not looked at it", "")
	}
	observed, reports := fieldpath.Int(o.Object, "status", "observedGeneration")
	low, high := boundsIn(o, fieldsOf(verbparams.HorizontalPodAutoscaler))
	desired, _ := fieldpath.Int(o.Object, "status", "desiredReplicas")
	switch {
	case reports && observed < o.GetGeneration():
		return waits(w, "its controller has not seen it", "")
	case active == "False" && desired == 0: // the target has no replicas, which switches it off
		return engine.Outcome{Status: engine.Done, Detail: fmt.Sprintf("%s is written; it scales nothing now: %s", w, why)}
	case desired < low || desired > high:
		return waits(w, fmt.Sprintf("its controller asks for %d replicas, and not yet for %d to %d", desired, low, high), "")
	}
	detail := fmt.Sprintf("%s is written, and its controller asks for %d of %d to %d replicas", w, desired, low, high)
	if active == "False" {
		detail += "; it does not scale by its metrics: " + why
	}
	return engine.Outcome{Status: engine.Done, Detail: detail}
}
