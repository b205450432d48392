package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// servingPlan plans a change of an InferenceService.
type servingPlan struct {
	Write objectPatch `json:"write"`
	// Revision is the predictor's newest revision before the change, and NewRevision reports
	// whether the change makes another.
	Revision    string `json:"revision,omitempty"`
	NewRevision bool   `json:"newRevision,omitempty"`
}

// served returns the state of a planned change, by what the deployment mode reports.
func (c *Cluster) served(ctx context.Context, plan servingPlan) (engine.Outcome, error) {
	o, err := c.get(ctx, plan.Write.APIVersion, plan.Write.Kind, plan.Write.Namespace, plan.Write.Name)
	if err != nil {
		return engine.Outcome{}, err
	}
	if !same(plan.Write.fields(o.Unstructured), plan.Write.wanted()) {
		return overwritten(plan.Write), nil
	}
	out, err := c.servedBy(ctx, o, plan)
	if err == nil && out.Status == engine.Running {
		out.Obstacle = failedModel(o.Object)
	}
	return out, err
}

func (c *Cluster) servedBy(ctx context.Context, o *object, plan servingPlan) (engine.Outcome, error) {
	switch servingModeOf(o.Object) {
	case knativeMode:
		return servedByKnative(o.Object, plan), nil
	case standardMode:
		return c.servedByDeployment(ctx, o, plan)
	}
	if observed, _ := fieldpath.Int(o.Object, "status", "observedGeneration"); plan.NewRevision && fmt.Sprint(observed) == plan.Revision {
		return running("KServe has not taken the change yet, as far as its status shows"), nil
	}
	if transition := fieldpath.Text(o.Object, "status", "modelStatus", "transitionStatus"); transition != "UpToDate" {
		return running("its model is " + cmp.Or(transition, "not reported yet: is KServe's controller running?")), nil
	}
	return inferenceReady(o.Object, "it is ready"), nil
}

func running(detail string) engine.Outcome {
	return engine.Outcome{Status: engine.Running, Detail: detail}
}

// servedByKnative reads the revisions and their shares.
func servedByKnative(o map[string]any, plan servingPlan) engine.Outcome {
	revision := func(name string) string { return fieldpath.Text(o, "status", "components", "predictor", name) }
	created := revision("latestCreatedRevision")
	switch {
	case created == "":
		return running("KServe reports no revision of the predictor yet: is its controller running?")
	case plan.NewRevision && created == plan.Revision:
		return running("KServe has made no revision of it yet; the newest is " + created)
	case revision("latestReadyRevision") != created:
		return running(fmt.Sprintf("revision %s is not ready%s", created, conditionDetail(inferenceCondition(o, "PredictorReady"))))
	}
	want, has := fieldpath.Int(o, "spec", "predictor", "canaryTrafficPercent")
	if !has {
		want = 100
	}
	if share := latestShare(o); share != want {
		return running(fmt.Sprintf("revision %s has %d%% of the requests, and shall have %d%%", created, share, want))
	}
	return inferenceReady(o, fmt.Sprintf("revision %s has %d%% of the requests", created, want))
}

// latestShare returns the percentage that the status gives to the newest revision.
func latestShare(o map[string]any) (share int64) {
	for _, t := range fieldpath.Maps(o, "status", "components", "predictor", "traffic") {
		if t["latestRevision"] == true {
			n, _ := fieldpath.Int(t, "percent")
			share += n
		}
	}
	return share
}

// servedByDeployment reads the stable Deployment where its model is new, and the canaries and
// the HTTPRoute where those were written.
func (c *Cluster) servedByDeployment(ctx context.Context, o *object, plan servingPlan) (engine.Outcome, error) {
	if _, canaries := fieldpath.Find(overlay(plan.Write.Set, plan.Write.wanted()), "spec", "canary"); canaries {
		out, err := c.canariesServed(ctx, o.Unstructured)
		if err != nil || out.Status != engine.Done {
			return out, err
		}
		return inferenceReady(o.Object, out.Detail), nil
	}
	if plan.NewRevision {
		d, err := c.stableDeployment(ctx, o.Unstructured)
		if err != nil {
			return engine.Outcome{}, err
		}
		if d == nil || cmp.Or(d.GetAnnotations()[templateRevision], "0") == plan.Revision {
			return running("KServe has not given the change to the Deployment " + predictorService(o.GetName(), stableName(o.Object)) + " yet"), nil
		}
		if out := deploymentComplete(d.Object); out.Status != engine.Done {
			return out, nil
		}
	}
	return inferenceReady(o.Object, "it is ready"), nil
}

// canariesServed is done once the canaries that get requests are ready, and the HTTPRoute
// shares them out as spec.canary says.
func (c *Cluster) canariesServed(ctx context.Context, o *unstructured.Unstructured) (engine.Outcome, error) {
	want := map[string]int{}
	rest := 100
	for _, canary := range fieldpath.Maps(o.Object, "spec", "canary") {
		name, share := canaryName(canary), canaryPercent(canary)
		want[predictorService(o.GetName(), name)] = share
		rest -= share
		reported := false
		for _, s := range fieldpath.Maps(o.Object, "status", "canaryStatuses") {
			n, _ := fieldpath.Int(s, "trafficPercent")
			reported = reported || fieldpath.Text(s, "name") == name && int(n) == share
		}
		switch {
		case !reported:
			return running(fmt.Sprintf("KServe does not report the canary %s with %d%% of the requests in status.canaryStatuses yet", name, share)), nil
		case share > 0 && !canaryReady(o.Object, name):
			return running(fmt.Sprintf("the canary %s is not ready%s", name, conditionDetail(inferenceCondition(o.Object, "CanaryPredictorReady")))), nil
		}
	}
	want[predictorService(o.GetName(), stableName(o.Object))] = rest
	route, err := c.predictorRoute(ctx, o)
	if err != nil {
		return engine.Outcome{}, err
	}
	if route == nil {
		return running("the HTTPRoute " + predictorService(o.GetName(), "") + " is not there"), nil
	}
	shares := routeShares(o.Object, route)
	for _, service := range slices.Sorted(maps.Keys(want)) {
		if shares[service] != want[service] {
			return running(fmt.Sprintf("the HTTPRoute %s gives %s %d%% of the requests, and shall give %d%%; KServe writes them since 0.21", route.GetName(), service, shares[service], want[service])), nil
		}
	}
	if out := routeSettled(route); out.Status != engine.Done {
		return out, nil
	}
	return engine.Outcome{Status: engine.Done, Detail: fmt.Sprintf("the HTTPRoute %s has the shares", route.GetName())}, nil
}

// inferenceReady is done if the InferenceService reports that it is ready.
func inferenceReady(o map[string]any, detail string) engine.Outcome {
	ready := inferenceCondition(o, "Ready")
	switch fieldpath.Text(ready, "status") {
	case "True":
		return engine.Outcome{Status: engine.Done, Detail: detail}
	case "":
		return running("the InferenceService says nothing of itself yet: is its controller running?")
	}
	return running("it is not ready yet" + conditionDetail(ready))
}

// inferenceCondition returns a condition, or nil.
func inferenceCondition(o map[string]any, kind string) map[string]any {
	for _, c := range fieldpath.Maps(o, "status", "conditions") {
		if fieldpath.Text(c, "type") == kind {
			return c
		}
	}
	return nil
}

// failedModel returns why the newest model does not load, or "". The message of the failure is
// what the container wrote last, which may hold a secret, and is left out.
func failedModel(o map[string]any) string {
	switch state := fieldpath.Text(o, "status", "modelStatus", "transitionStatus"); state {
	case "BlockedByFailedLoad", "InvalidSpec":
		text := state
		if reason := fieldpath.Text(o, "status", "modelStatus", "lastFailureInfo", "reason"); reason != "" {
			text += ": " + reason
		}
		if pod := fieldpath.Text(o, "status", "modelStatus", "lastFailureInfo", "location"); pod != "" {
			text += ", pod " + pod
		}
		if code, has := fieldpath.Int(o, "status", "modelStatus", "lastFailureInfo", "exitCode"); has {
			text += fmt.Sprintf(", exit code %d", code)
		}
		return text
	}
	return ""
}

// deploymentComplete is done once all pods of a Deployment are of its template, and ready.
func deploymentComplete(d map[string]any) engine.Outcome {
	count := func(path ...any) int64 { n, _ := fieldpath.Int(d, path...); return n }
	want := count("spec", "replicas")
	updated, ready, all := count("status", "updatedReplicas"), count("status", "readyReplicas"), count("status", "replicas")
	out := running(fmt.Sprintf("%d of %d pods new, %d ready", updated, want, ready))
	if count("status", "observedGeneration") >= count("metadata", "generation") && updated >= want && ready >= want && all <= want {
		out.Status = engine.Done
	}
	return out
}
