package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// The replicas of an InferenceService follow from its predictor's minReplicas and maxReplicas.
// What KServe makes of them depends on the mode, and on the autoscaler's class in Standard
// mode:
//
//	Knative            min-scale and max-scale of the revision; no maxReplicas is no bound
//	Standard hpa       the bounds of a HorizontalPodAutoscaler; no maxReplicas is minReplicas
//	Standard keda      those of a ScaledObject
//	Standard none      minReplicas are the Deployment's replicas
//	Standard external  nothing: the owner of the autoscaler scales the Deployment

// The classes of autoscalers that an InferenceService's annotation names.
const (
	hpaClass      = "hpa" // the default
	kedaClass     = "keda"
	noneClass     = "none"
	externalClass = "external"
)

// inferenceBounds are the bounds of a predictor's replicas.
type inferenceBounds struct {
	mode   servingMode
	class  string // "" in Knative mode
	min    int    // 1 by default
	max    int    // 0 is none
	hasMax bool
}

// boundsOf returns the bounds, or an error for an InferenceService that KServe doesn't scale.
func boundsOf(o map[string]any) (inferenceBounds, error) {
	if err := stopped(o); err != nil {
		return inferenceBounds{}, err
	}
	b := inferenceBounds{mode: servingModeOf(o), min: 1}
	if b.mode == meshMode {
		return b, refuseMode(b.mode, "minReplicas")
	}
	if b.mode != knativeMode {
		b.class = cmp.Or(fieldpath.Text(o, "metadata", "annotations", autoscalerClassAnnotation), hpaClass)
	}
	if n, ok := fieldpath.Int(o, "spec", "predictor", "minReplicas"); ok {
		b.min = int(n)
	}
	if n, ok := fieldpath.Int(o, "spec", "predictor", "maxReplicas"); ok && n > 0 {
		b.max, b.hasMax = int(n), true
	}
	if b.class == externalClass {
		return b, fmt.Errorf("has the autoscaler class %s, so KServe leaves its replicas alone; make the Deployment %s the target", externalClass, predictorService(fieldpath.Text(o, "metadata", "name"), stableName(o)))
	}
	return b, nil
}

// fixed reports whether the bounds leave one number only.
func (b inferenceBounds) fixed() bool {
	switch {
	case b.class == noneClass:
		return true
	case b.hasMax:
		return b.min >= b.max
	}
	return b.mode != knativeMode
}

func (b inferenceBounds) String() string {
	owner := "KServe's autoscaler"
	if b.class != "" {
		owner += " of the class " + b.class
	}
	if !b.hasMax {
		return fmt.Sprintf("%s (%d replicas or more)", owner, b.min)
	}
	return fmt.Sprintf("%s (%d to %d replicas)", owner, b.min, b.max)
}

// scaleTo returns the fields of the predictor for a fixed number of replicas.
func (b inferenceBounds) scaleTo(n int) (map[string]any, error) {
	switch {
	case b.class == noneClass:
		set := map[string]any{"minReplicas": int64(n)}
		if b.hasMax && b.max < n {
			set["maxReplicas"] = int64(n)
		}
		return set, nil
	case n == 0:
		return nil, errors.New("can't be held at 0 replicas: to KServe a maxReplicas of 0 is no bound; use the primitive `autoscaler` with min 0 in Knative mode, or stop it by the annotation " + stopAnnotation)
	}
	return map[string]any{"minReplicas": int64(n), "maxReplicas": int64(n)}, nil
}

// canaryReplicas returns how many replicas KServe takes out of the stable predictor's
// minReplicas for the canaries.
func canaryReplicas(o map[string]any, minReplicas int) (sum int) {
	for _, canary := range fieldpath.Maps(o, "spec", "canary") {
		n, ok := fieldpath.Int(canary, "predictor", "minReplicas")
		if !ok {
			n = int64(math.Ceil(float64(minReplicas) * float64(canaryPercent(canary)) / 100))
		}
		sum += int(n)
	}
	return sum
}
