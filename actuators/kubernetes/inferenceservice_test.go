package kubernetes

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

func TestServingModes(t *testing.T) {
	for name, row := range map[string]struct {
		annotation, status, revision string
		want                         servingMode
	}{
		"by the annotation":            {"Standard", "", "", standardMode},
		"by its name of before 0.16":   {"RawDeployment", "", "", standardMode},
		"Knative":                      {"Knative", "", "", knativeMode},
		"Serverless":                   {"Serverless", "", "", knativeMode},
		"as some write it":             {"KNative", "", "", knativeMode},
		"ModelMesh":                    {"ModelMesh", "", "", meshMode},
		"the status counts":            {"Knative", "Standard", "", standardMode},
		"the status alone":             {"", "RawDeployment", "", standardMode},
		"by its revisions":             {"", "", "digits-00001", knativeMode},
		"nothing":                      {"", "", "", unknownMode},
		"a mode that KServe overlooks": {"Fast", "", "", unknownMode},
	} {
		t.Run(name, func(t *testing.T) {
			o := map[string]any{"metadata": map[string]any{"annotations": map[string]any{deploymentModeAnnotation: row.annotation}}}
			require.NoError(t, unstructured.SetNestedField(o, row.status, "status", "deploymentMode"))
			require.NoError(t, unstructured.SetNestedField(o, row.revision, "status", "components", "predictor", "latestCreatedRevision"))
			require.Equal(t, row.want, servingModeOf(o))
		})
	}
}

// serviceIn is an InferenceService in a mode; annotations are more of them.
func serviceIn(t *testing.T, c *testcluster.Cluster, ns, name, mode, annotations, predictor string) *kserve {
	t.Helper()
	if mode != "" {
		annotations += "serving.kserve.io/deploymentMode: " + mode
	}
	c.Apply(t, fmt.Sprintf("---\napiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: %s, namespace: %s, annotations: {%s}}\nspec: {predictor: %s}\n", name, ns, annotations, predictor))
	return kserveOf(t, c, ns, name)
}

func servingCluster(t *testing.T) (c *testcluster.Cluster, ns string) {
	c = testcluster.Shared(t)
	c.InstallCRDs(t, "inferenceservice", "httproute", "scaledobject")
	return c, c.Namespace(t)
}

func onService(verb, ns, name, with string) engine.Proposal {
	return wish(verb, inferenceVersion, inferenceKind, ns, name, with)
}

// A canary, then all of the requests. status.observedGeneration is a child's, and says nothing.
func TestModelInKnativeMode(t *testing.T) {
	c, ns := servingCluster(t)
	serve := ModelServe(acting(c.Client()))
	for name, framework := range map[string]string{"digits": "model", "old": "sklearn"} {
		t.Run(framework, func(t *testing.T) {
			k := serviceIn(t, c, ns, name, "Knative", "", `{`+framework+`: {storageUri: "s3://digits/3"}}`)
			on := func(with string) engine.Proposal { return onService("model.serve", ns, name, with) }
			require.ErrorContains(t, refused(t, serve, on(`{"uri": "s3://digits/4", "canaryPercent": 10}`)), "canaryPercent: no revision before has had all of the requests yet")
			k.reconcile(true)

			canary := do(t, serve, on(`{"uri": "s3://digits/4", "version": "4", "canaryPercent": 10}`))
			require.Regexp(t, `^spec.predictor.canaryTrafficPercent none -> 10, spec.predictor.`+framework+`.storageUri s3://digits/3 -> s3://digits/4, taken over from test`, canary.Diff)
			now := k.object()
			require.JSONEq(t, fmt.Sprintf(`{%q:{"storageUri":"s3://digits/4"},"canaryTrafficPercent":10}`, framework), at(t, now, "spec", "predictor"))
			require.Equal(t, "null", at(t, now, "metadata", "annotations", clusterview.ModelAnnotation), "most requests still go to the old one")

			require.Equal(t, running("KServe has made no revision of it yet; the newest is "+name+"-predictor-00001"), verified(t, serve, canary), "ready, as before")
			k.failure = map[string]any{"reason": "ModelLoadFailed", "message": "s3://user:s3cret@bucket", "location": "digits-1", "exitCode": int64(1)}
			k.reconcile(false)
			require.Equal(t, engine.Outcome{
				Status: engine.Running, Detail: "revision " + name + "-predictor-00002 is not ready: Storage: fetching", Obstacle: "BlockedByFailedLoad: ModelLoadFailed, pod digits-1, exit code 1",
			}, verified(t, serve, canary))
			k.failure = nil
			k.reconcile(true)
			require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "revision " + name + "-predictor-00002 has 10% of the requests"}, verified(t, serve, canary))

			traffic := Traffic(acting(c.Client()))
			split := do(t, traffic, onService("traffic", ns, name, `{"route": "`+name+`", "kind": "InferenceService", "weights": {"latest": 1, "previous": 1}}`))
			require.Contains(t, split.Diff, "weights latest 10 -> 50, previous 90 -> 50")
			require.Equal(t, running("revision "+name+"-predictor-00002 has 10% of the requests, and shall have 50%"), verified(t, traffic, split), "written, and not done yet")
			k.reconcile(true)
			require.Equal(t, engine.Done, verified(t, traffic, split).Status)
			_, err := traffic.(engine.Undoer).Undo(testContext(t), split)
			require.NoError(t, err)
			require.Equal(t, "10", at(t, k.object(), "spec", "predictor", "canaryTrafficPercent"))

			full := do(t, serve, on(`{"version": "4", "canaryPercent": 100}`))
			k.reconcile(true)
			require.Equal(t, engine.Done, verified(t, serve, full).Status)
			now = k.object()
			require.Equal(t, "100", at(t, now, "spec", "predictor", "canaryTrafficPercent"))
			require.JSONEq(t, `"4"`, at(t, now, "metadata", "annotations", clusterview.ModelAnnotation))
			_, err = serve.(engine.Undoer).Undo(testContext(t), full)
			require.NoError(t, err)
			now = k.object()
			require.Equal(t, "10", at(t, now, "spec", "predictor", "canaryTrafficPercent"))
			require.Equal(t, "null", at(t, now, "metadata", "annotations", clusterview.ModelAnnotation))
		})
	}
}

// Without a canary, the act is done when the Deployment has replaced its pods.
func TestModelInStandardMode(t *testing.T) {
	c, ns := servingCluster(t)
	serve := ModelServe(acting(c.Client()))
	k := serviceIn(t, c, ns, "digits", "Standard", "", `{model: {modelFormat: {name: onnx}, storageUri: "s3://digits/3"}}`)
	k.reconcile(true)
	k.podsUp("digits-predictor")
	change := do(t, serve, onService("model.serve", ns, "digits", `{"uri": "s3://digits/4"}`))
	require.Equal(t, running("KServe has not given the change to the Deployment digits-predictor yet"), verified(t, serve, change), "ready, as before")
	k.reconcile(false)
	soon(t, "the old pod and the new one are there", func() bool { return verified(t, serve, change) == running("1 of 1 pods new, 1 ready") })
	k.podsUp("digits-predictor")
	require.Equal(t, running("it is not ready yet: PredictorNotReady"), verified(t, serve, change))
	k.reconcile(true)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "it is ready"}, verified(t, serve, change))
}

// The stable model stays as it is, until its canary takes its place.
func TestCanaryInStandardMode(t *testing.T) {
	c, ns := servingCluster(t)
	cluster := acting(c.Client())
	serve, traffic := ModelServe(cluster), Traffic(cluster)
	k := serviceIn(t, c, ns, "digits", "RawDeployment", "", `{minReplicas: 4, model: {modelFormat: {name: onnx}, storageUri: "s3://digits/3"}}`)
	k.gateway = false
	k.reconcile(true)
	on := func(with string) engine.Proposal { return onService("model.serve", ns, "digits", with) }
	shift := func(weights string) engine.Proposal {
		return onService("traffic", ns, "digits", `{"route": "digits", "kind": "InferenceService", "weights": `+weights+`}`)
	}
	begin := on(`{"uri": "s3://digits/4", "version": "4", "canaryPercent": 10}`)
	require.ErrorContains(t, refused(t, serve, begin), "runs in Standard mode, where KServe splits requests by the HTTPRoute "+ns+"/digits-predictor, and it has made none: enable the Gateway API in KServe")
	require.ErrorContains(t, refused(t, traffic, shift(`{"stable": 1, "canary": 1}`)), "it has made none")
	k.gateway = true
	k.reconcile(true)
	require.ErrorContains(t, refused(t, traffic, shift(`{"latest": 1, "previous": 1}`)), "has no spec.canary to share the requests with: begin one by model.serve")
	require.ErrorContains(t, refused(t, serve, on(`{"canaryPercent": 10}`)), "has no canary yet: give its uri beside canaryPercent")

	canary := do(t, serve, begin)
	require.Regexp(t, `^10% of the requests to the canary canary of s3://digits/4: spec.canary none -> `, canary.Diff)
	now := k.object()
	require.JSONEq(t, `{"minReplicas":4,"model":{"modelFormat":{"name":"onnx"},"storageUri":"s3://digits/3"}}`, at(t, now, "spec", "predictor"), "the stable model")
	require.JSONEq(t, `[{"trafficPercent":10,"predictor":{"name":"canary","model":{"modelFormat":{"name":"onnx"},"storageUri":"s3://digits/4"}}}]`, at(t, now, "spec", "canary"))
	require.Contains(t, verified(t, serve, canary).Detail, "does not report the canary canary with 10%")
	k.reconcile(false)
	require.Equal(t, running("the canary canary is not ready: CanariesNotReady"), verified(t, serve, canary))
	k.splits = false // as 0.20
	k.reconcile(true)
	require.Equal(t, running("the HTTPRoute digits-predictor gives digits-canary-predictor 0% of the requests, and shall give 10%; KServe writes them since 0.21"), verified(t, serve, canary))
	require.ErrorContains(t, refused(t, serve, on(`{"canaryPercent": 20}`)), "has the canary canary ready, and KServe has not written it into the HTTPRoute "+ns+"/digits-predictor: KServe splits requests in Standard mode since 0.21")
	k.splits = true
	k.reconcile(true)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "the HTTPRoute digits-predictor has the shares"}, verified(t, serve, canary))
	require.True(t, planOf(t, serve, begin).NoOp)

	more := do(t, traffic, shift(`{"stable": 1, "canary": 3}`))
	require.Contains(t, more.Diff, "weights stable 90 -> 25, canary 10 -> 75")
	require.Equal(t, engine.Running, verified(t, traffic, more).Status)
	k.reconcile(true)
	require.Equal(t, engine.Done, verified(t, traffic, more).Status)
	require.ErrorContains(t, refused(t, traffic, shift(`{"stable": 1, "canari": 3}`)), "has no such backend: canari; it has: canary, stable")
	_, err := traffic.(engine.Undoer).Undo(testContext(t), more)
	require.NoError(t, err)
	require.Equal(t, "10", at(t, k.object(), "spec", "canary", 0, "trafficPercent"))

	require.ErrorContains(t, refused(t, serve, on(`{"uri": "s3://digits/5"}`)), "has the canary canary, so it is not plain which of its models is meant: set canaryPercent, with 100")
	require.ErrorContains(t, refused(t, serve, on(`{"uri": "s3://digits/5", "canaryPercent": 100}`)), "100 makes the canary canary of s3://digits/4 the stable one, and the uri is another")
	none := do(t, serve, on(`{"canaryPercent": 0}`))
	k.reconcile(true)
	require.Equal(t, engine.Done, verified(t, serve, none).Status)

	k.reconcile(false)
	promote := on(`{"uri": "s3://digits/4", "version": "4", "canaryPercent": 100}`)
	require.ErrorContains(t, refused(t, serve, promote), "the canary canary is not ready by status.canaryStatuses")
	k.reconcile(true)
	before := k.object()
	promoted := do(t, serve, promote)
	require.Contains(t, promoted.Diff, "make the canary canary of s3://digits/4 the stable one: ")
	now = k.object()
	require.JSONEq(t, `{"minReplicas":4,"name":"canary","model":{"modelFormat":{"name":"onnx"},"storageUri":"s3://digits/4"}}`, at(t, now, "spec", "predictor"))
	require.JSONEq(t, `[]`, at(t, now, "spec", "canary"))
	require.JSONEq(t, `"4"`, at(t, now, "metadata", "annotations", clusterview.ModelAnnotation))
	require.Equal(t, running("the HTTPRoute digits-predictor gives digits-canary-predictor 0% of the requests, and shall give 100%; KServe writes them since 0.21"), verified(t, serve, promoted))
	k.reconcile(true)
	require.Equal(t, engine.Done, verified(t, serve, promoted).Status)
	require.True(t, planOf(t, serve, promote).NoOp)
	_, err = serve.(engine.Undoer).Undo(testContext(t), promoted)
	require.NoError(t, err)
	require.JSONEq(t, at(t, before, "spec"), at(t, k.object(), "spec"))
}

func TestServicesThatCanNotBeSplit(t *testing.T) {
	c, ns := servingCluster(t)
	cluster := acting(c.Client())
	model := `model: {storageUri: "s3://digits/3"}`
	for name, mode := range map[string]string{"unknown": "", "mesh": "ModelMesh", "piped": "Standard", "halted": "Knative", "older": "Standard", "foreign": "Standard"} {
		annotations := ""
		if name == "halted" {
			annotations = `serving.kserve.io/stop: "true", `
		}
		k := serviceIn(t, c, ns, name, mode, annotations, "{"+model+"}")
		if mode == "Standard" {
			k.reconcile(true)
		}
	}
	c.Patch(t, inferenceServices, ns, "piped", `{"spec": {"transformer": {"containers": [{"name": "kserve-container", "image": "none"}]}}}`)
	c.Patch(t, schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}, ns, "foreign-predictor", `{"metadata": {"ownerReferences": null}}`)
	crd := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	withoutCanary := func(check func()) {
		o, err := c.Client().Dynamic.Resource(crd).Get(testContext(t), "inferenceservices.serving.kserve.io", metav1.GetOptions{})
		require.NoError(t, err)
		path := "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/canary"
		_, err = c.Client().Dynamic.Resource(crd).Patch(testContext(t), o.GetName(), types.JSONPatchType, []byte(`[{"op": "remove", "path": "`+path+`"}]`), metav1.PatchOptions{})
		require.NoError(t, err)
		defer c.InstallCRDs(t, "inferenceservice")
		check()
	}
	for _, row := range []struct{ name, verb, with, want string }{
		{"unknown", "model.serve", `{"uri": "u", "canaryPercent": 5}`, "canaryPercent depends on its deployment mode, which neither status.deploymentMode nor the annotation serving.kserve.io/deploymentMode shows"},
		{"unknown", "traffic", `{"route": "unknown", "kind": "InferenceService", "weights": {"latest": 1}}`, "can't share out its requests: traffic depends on its deployment mode"},
		{"mesh", "model.serve", `{"uri": "u"}`, "model.serve has no effect in the deployment mode ModelMesh"},
		{"mesh", "traffic", `{"route": "mesh", "kind": "InferenceService", "weights": {"latest": 1}}`, "has no effect in the deployment mode ModelMesh"},
		{"piped", "model.serve", `{"uri": "u", "canaryPercent": 5}`, "has a transformer, which sends every request to the stable predictor"},
		{"halted", "model.serve", `{"uri": "u"}`, "is stopped by its annotation serving.kserve.io/stop"},
		{"foreign", "model.serve", `{"uri": "u", "canaryPercent": 5}`, "and it has made none"},
		{"older", "model.serve", `{"uri": "u", "container": "x"}`, "container names a canary in Standard mode"},
		{"older", "model.serve", `{"uri": "u", "container": "a-name-of-a-canary-that-is-far-too-long-for-a-deployment-of-it", "canaryPercent": 5}`, "63 are allowed"},
	} {
		t.Run(row.name+"/"+row.verb, func(t *testing.T) {
			verb := map[string]engine.Actuator{"model.serve": ModelServe(cluster), "traffic": Traffic(cluster)}[row.verb]
			require.ErrorContains(t, refused(t, verb, onService(row.verb, ns, row.name, row.with)), row.want)
		})
	}
	t.Run("a definition without canaries", func(t *testing.T) {
		withoutCanary(func() {
			soon(t, "it is refused", func() bool {
				_, err := ModelServe(cluster).Plan(testContext(t), onService("model.serve", ns, "older", `{"uri": "u", "canaryPercent": 5}`))
				return err != nil && !engine.IsRetryable(err)
			})
			require.ErrorContains(t, refused(t, ModelServe(cluster), onService("model.serve", ns, "older", `{"uri": "u", "canaryPercent": 5}`)), "has no field spec.canary in the installed definition: KServe has it since 0.20")
			require.NotContains(t, at(t, fetch(t, c, inferenceVersion, inferenceKind, ns, "older"), "spec"), "canary")
		})
	})
}

// A model of a mode that is not known is the same field in all of them.
func TestModelInAnUnknownMode(t *testing.T) {
	c, ns := servingCluster(t)
	serve := ModelServe(acting(c.Client()))
	k := serviceIn(t, c, ns, "digits", "", "", `{model: {storageUri: "s3://digits/3"}}`)
	change := do(t, serve, onService("model.serve", ns, "digits", `{"uri": "s3://digits/4"}`))
	require.Equal(t, running("KServe has not taken the change yet, as far as its status shows"), verified(t, serve, change))
	c.Patch(t, inferenceServices, ns, "digits", `{"status": {"observedGeneration": 7, "modelStatus": {"transitionStatus": "InProgress"}}}`, "status")
	require.Equal(t, running("its model is InProgress"), verified(t, serve, change))
	c.Patch(t, inferenceServices, ns, "digits", `{"status": {"modelStatus": {"transitionStatus": "UpToDate"}, "conditions": [{"type": "Ready", "status": "True"}]}}`, "status")
	require.Equal(t, engine.Done, verified(t, serve, change).Status)
	require.JSONEq(t, `{"model":{"storageUri":"s3://digits/4"}}`, at(t, k.object(), "spec", "predictor"))
}
