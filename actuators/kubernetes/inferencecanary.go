package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// In Standard mode KServe runs each entry of spec.canary (since 0.20) as a Deployment of its
// own, and writes the shares into the HTTPRoute of the predictor (since 0.21). An entry is
// named by its predictor.

// stableBackend names the stable predictor for `traffic`.
const stableBackend = "stable"

var httpRouteVersions = httpRoute().apiVersions

func canaryName(canary map[string]any) string {
	return fieldpath.Text(canary, "predictor", "name")
}

func canaryPercent(canary map[string]any) int {
	n, _ := fieldpath.Int(canary, "trafficPercent")
	return int(n)
}

// canaryReady reports whether KServe reports a canary's pods as ready.
func canaryReady(o map[string]any, name string) bool {
	for _, s := range fieldpath.Maps(o, "status", "canaryStatuses") {
		if fieldpath.Text(s, "name") == name {
			return s["ready"] == true
		}
	}
	return false
}

const insteadOfCanary = "run the new model as an InferenceService of its own and share out the requests by traffic on a route that has both, or use Knative mode"

// checkSplit returns an error where KServe can't split the requests of an InferenceService in
// Standard mode, as far as the object and the HTTPRoute show it.
func (c *Cluster) checkSplit(ctx context.Context, o *object) error {
	if err := stopped(o.Object); err != nil {
		return err
	}
	if _, has := fieldpath.Find(o.Object, "spec", "transformer"); has {
		return fmt.Errorf("has a transformer, which sends every request to the stable predictor; %s", insteadOfCanary)
	}
	name := predictorService(o.GetName(), "")
	route, err := c.predictorRoute(ctx, o.Unstructured)
	switch {
	case err != nil:
		return err
	case route == nil:
		return fmt.Errorf("runs in Standard mode, where KServe splits requests by the HTTPRoute %s/%s, and it has made none: enable the Gateway API in KServe (enableGatewayApi of ingress in the ConfigMap inferenceservice-config); or %s", o.GetNamespace(), name, insteadOfCanary)
	}
	shares := routeShares(o.Object, route)
	for _, canary := range fieldpath.Maps(o.Object, "spec", "canary") {
		service := predictorService(o.GetName(), canaryName(canary))
		if _, there := shares[service]; !there && canaryPercent(canary) > 0 && canaryReady(o.Object, canaryName(canary)) {
			return fmt.Errorf("has the canary %s ready, and KServe has not written it into the HTTPRoute %s/%s: KServe splits requests in Standard mode since 0.21; update it, or %s", canaryName(canary), o.GetNamespace(), name, insteadOfCanary)
		}
	}
	return nil
}

// predictorRoute reads the HTTPRoute that KServe has made of the predictor, or nil.
func (c *Cluster) predictorRoute(ctx context.Context, o *unstructured.Unstructured) (*object, error) {
	route, err := c.getFirst(ctx, httpRouteVersions, "HTTPRoute", o.GetNamespace(), predictorService(o.GetName(), ""))
	if apierrors.IsNotFound(err) || apiclient.Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, owner := range route.GetOwnerReferences() {
		if owner.Kind == inferenceKind && owner.Name == o.GetName() {
			return route, nil
		}
	}
	return nil, nil
}

// routeShares returns the percentages that the predictor's rule of the HTTPRoute gives to the
// Services of its predictors.
func routeShares(o map[string]any, route *object) map[string]int {
	name := fieldpath.Text(o, "metadata", "name")
	ours := map[string]bool{predictorService(name, stableName(o)): true}
	for _, canary := range fieldpath.Maps(o, "spec", "canary") {
		ours[predictorService(name, canaryName(canary))] = true
	}
	for _, rule := range fieldpath.Maps(route.Object, "spec", "rules") {
		weights, found := map[string]int{}, false
		for _, ref := range fieldpath.Maps(rule, "backendRefs") {
			weight, has := weightIn(ref, "weight")
			if !has {
				weight = 1
			}
			backend := fieldpath.Text(ref, "name")
			weights[backend] = weight
			found = found || ours[backend]
		}
		if found {
			return percent(weights)
		}
	}
	return nil
}

// checkCanaryField returns an error where the API server drops spec.canary, since the
// definition lacks it. It tries to write these canaries, and writes nothing.
func (c *Cluster) checkCanaryField(ctx context.Context, o *object, canaries []any) error {
	if _, has := fieldpath.Find(o.Object, "spec", "canary"); has {
		return nil
	}
	probe, err := json.Marshal(map[string]any{"spec": map[string]any{"canary": canaries}})
	if err != nil {
		return fmt.Errorf("try spec.canary: %w", err)
	}
	would, err := c.resource(o.mapping, o.GetNamespace()).Patch(ctx, o.GetName(), types.MergePatchType, probe,
		metav1.PatchOptions{FieldManager: managerOf(modelVerb), DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationIgnore})
	if err != nil {
		return apiclient.Classify(fmt.Errorf("try spec.canary: %w", err))
	}
	if _, keeps := fieldpath.Find(would.Object, "spec", "canary"); !keeps {
		return fmt.Errorf("has no field spec.canary in the installed definition: KServe has it since 0.20; update it, or %s", insteadOfCanary)
	}
	return nil
}

// checkCanaryName returns an error for a name that KServe can't make a Deployment of.
func checkCanaryName(service, name string) error {
	if long := predictorService(service, name); len(long) > 63 {
		return fmt.Errorf("the canary's Deployment %s would have a name of %d characters, and 63 are allowed; name it shorter by container", long, len(long))
	}
	return nil
}

// findCanary returns the index of the canary that is meant, or -1 for one to begin, and its
// name.
func findCanary(o map[string]any, wanted string) (int, string, error) {
	canaries := fieldpath.Maps(o, "spec", "canary")
	var names []string
	for i, canary := range canaries {
		if canaryName(canary) == wanted || wanted == "" && len(canaries) == 1 {
			return i, canaryName(canary), nil
		}
		names = append(names, canaryName(canary))
	}
	switch {
	case wanted != "":
		return -1, wanted, nil
	case len(names) > 0:
		return 0, "", fmt.Errorf("it has the canaries %s: say in container which is meant", strings.Join(names, ", "))
	case stableName(o) == "canary": // it was promoted
		return -1, "next", nil
	}
	return -1, "canary", nil
}

var errNoCanary = errors.New("has no spec.canary to share the requests with: begin one by model.serve with a uri and canaryPercent")
