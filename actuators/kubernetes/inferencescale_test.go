package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// The bounds are the predictor's, and what KServe makes of them decides what may be written.
func TestReplicasOfAnInferenceService(t *testing.T) {
	c, ns := servingCluster(t)
	cluster := acting(c.Client())
	const class = "serving.kserve.io/autoscalerClass: "
	for name, row := range map[string]struct {
		mode, annotations, bounds string
		verb, with                string
		want                      string // minReplicas to maxReplicas
		refused                   string
	}{
		"one number of an hpa":              {"Standard", "", "minReplicas: 2", "scale", `{"replicas": 3}`, "3 to 3", ""},
		"one number, both bounds":           {"Standard", class + "hpa, ", "minReplicas: 2, maxReplicas: 2", "scale", `{"replicas": 1}`, "1 to 1", ""},
		"nothing is set":                    {"RawDeployment", "", "", "scale", `{"replicas": 4}`, "4 to 4", ""},
		"one number in Knative":             {"Knative", "", "minReplicas: 2, maxReplicas: 2", "scale", `{"replicas": 5}`, "5 to 5", ""},
		"no autoscaler":                     {"Standard", class + "none, ", "minReplicas: 2, maxReplicas: 3", "scale", `{"replicas": 5}`, "5 to 5", ""},
		"no autoscaler, below the most":     {"Standard", class + "none, ", "minReplicas: 2, maxReplicas: 9", "scale", `{"replicas": 5}`, "5 to 9", ""},
		"no autoscaler, none":               {"Standard", class + "none, ", "minReplicas: 2", "scale", `{"replicas": 0}`, "0 to null", ""},
		"the mode is not known":             {"", "", "minReplicas: 2", "scale", `{"replicas": 3}`, "3 to 3", ""},
		"a range of an hpa":                 {"Standard", "", "minReplicas: 1, maxReplicas: 4", "scale", `{"replicas": 2}`, "", "spec.predictor.minReplicas of NS/NAME belongs to KServe's autoscaler of the class hpa (1 to 4 replicas); use the primitive `autoscaler`, which changes its bounds, or set minReplicas and maxReplicas to one number"},
		"Knative without a most":            {"Knative", "", "minReplicas: 1", "scale", `{"replicas": 2}`, "", "belongs to KServe's autoscaler (1 replicas or more)"},
		"to none":                           {"Standard", "", "minReplicas: 1", "scale", `{"replicas": 0}`, "", "can't be held at 0 replicas"},
		"an autoscaler of others":           {"Standard", class + "external, ", "minReplicas: 1", "scale", `{"replicas": 2}`, "", "has the autoscaler class external, so KServe leaves its replicas alone; make the Deployment NAME-predictor the target"},
		"of ModelMesh":                      {"ModelMesh", "", "minReplicas: 1", "scale", `{"replicas": 2}`, "", "minReplicas has no effect in the deployment mode ModelMesh"},
		"stopped":                           {"Standard", `serving.kserve.io/stop: "true", `, "minReplicas: 1", "scale", `{"replicas": 2}`, "", "is stopped by its annotation"},
		"bounds of an hpa":                  {"Standard", "", "minReplicas: 1, maxReplicas: 4", "autoscaler", `{"min": 2, "max": 6}`, "2 to 6", ""},
		"the most alone":                    {"Standard", class + "keda, ", "minReplicas: 1, maxReplicas: 4", "autoscaler", `{"max": 6}`, "1 to 6", ""},
		"the fewest of Knative":             {"Knative", "", "", "autoscaler", `{"min": 0}`, "0 to null", ""},
		"fewest above most":                 {"Knative", "", "maxReplicas: 2", "autoscaler", `{"min": 3}`, "", "would have a min of 3 above its max of 2; set both"},
		"an hpa has one":                    {"Standard", "", "", "autoscaler", `{"min": 0, "max": 2}`, "", "keeps at least 1 replica"},
		"no autoscaler has no bounds":       {"Standard", class + "none, ", "", "autoscaler", `{"max": 2}`, "", "has the autoscaler class none, so it has no autoscaler; use scale"},
		"metrics of its own":                {"Standard", "", "", "autoscaler", `{"max": 2, "kind": "ScaledObject", "triggers": [{"type": "cron"}]}`, "", "with.kind: has no effect on an InferenceService, whose autoscaler KServe makes from the predictor; leave it out\nwith.triggers: "},
		"bounds of an autoscaler of others": {"Standard", class + "external, ", "", "autoscaler", `{"max": 2}`, "", "has the autoscaler class external"},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(name))
			predictor := `{model: {storageUri: "s3://digits/3"}}`
			if row.bounds != "" {
				predictor = "{" + row.bounds + `, model: {storageUri: "s3://digits/3"}}`
			}
			k := serviceIn(t, c, ns, id, row.mode, row.annotations, predictor)
			before := k.object()
			verb := map[string]engine.Actuator{"scale": Scale(cluster), "autoscaler": Autoscaler(cluster)}[row.verb]
			p := onService(row.verb, ns, id, row.with)
			if row.refused != "" {
				require.ErrorContains(t, refused(t, verb, p), strings.NewReplacer("NS", ns, "NAME", id).Replace(row.refused))
				return
			}
			change := do(t, verb, p)
			now := k.object()
			require.Equal(t, row.want, at(t, now, "spec", "predictor", "minReplicas")+" to "+at(t, now, "spec", "predictor", "maxReplicas"))
			require.True(t, planOf(t, verb, p).NoOp)
			if undoer, ok := verb.(engine.Undoer); ok {
				_, err := undoer.Undo(testContext(t), change)
				require.NoError(t, err)
				require.JSONEq(t, at(t, before, "spec"), at(t, k.object(), "spec"))
			}
		})
	}
}

func TestScalingAnInferenceServiceIsDone(t *testing.T) {
	c, ns := servingCluster(t)
	cluster := acting(c.Client())
	scale, bounds := Scale(cluster), Autoscaler(cluster)

	k := serviceIn(t, c, ns, "digits", "Knative", "", `{minReplicas: 1, maxReplicas: 1, model: {storageUri: "s3://digits/3"}}`)
	k.reconcile(true)
	change := do(t, scale, onService("scale", ns, "digits", `{"replicas": 3}`))
	require.Contains(t, change.Diff, "replicas 1 -> 3: ")
	require.Equal(t, running("1 of 3 ready"), verified(t, scale, change))
	k.copies = 3
	k.reconcile(false)
	require.Equal(t, engine.Running, verified(t, scale, change).Status, "of a revision that is not ready")
	k.reconcile(true)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "3 of 3 ready"}, verified(t, scale, change))
	wider := do(t, bounds, onService("autoscaler", ns, "digits", `{"max": 5}`))
	require.Equal(t, engine.Running, verified(t, bounds, wider).Status)
	k.reconcile(true)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "the newest revision has the bounds"}, verified(t, bounds, wider))
	c.Patch(t, inferenceServices, ns, "digits", `{"spec": {"predictor": {"maxReplicas": 9}}}`)
	require.Equal(t, engine.Failed, verified(t, bounds, wider).Status)

	// A canary's replicas are taken out of the fewest.
	raw := serviceIn(t, c, ns, "raw", "Standard", "", `{minReplicas: 4, model: {storageUri: "s3://digits/3"}}`)
	c.Patch(t, inferenceServices, ns, "raw", `{"spec": {"canary": [{"trafficPercent": 30, "predictor": {"name": "v2", "model": {"storageUri": "s3://digits/4"}}}]}}`)
	change = do(t, scale, onService("scale", ns, "raw", `{"replicas": 6}`))
	raw.copies = 3
	raw.reconcile(true)
	require.Equal(t, running("3 of 6 ready"), verified(t, scale, change))
	raw.copies = 4
	raw.reconcile(true)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "4 of 6 ready"}, verified(t, scale, change))

	made := serviceIn(t, c, ns, "hpa", "Standard", "", `{minReplicas: 1, maxReplicas: 2, model: {storageUri: "s3://digits/3"}}`)
	made.reconcile(true)
	wider = do(t, bounds, onService("autoscaler", ns, "hpa", `{"min": 2, "max": 6}`))
	require.Equal(t, running("KServe has not made the HorizontalPodAutoscaler hpa-predictor yet"), verified(t, bounds, wider))
	const autoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hpa-predictor, namespace: NS}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: hpa-predictor}, minReplicas: MIN, maxReplicas: MAX, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}
`
	c.Apply(t, strings.NewReplacer("NS", ns, "MIN", "1", "MAX", "2").Replace(autoscaler))
	require.Equal(t, running("HorizontalPodAutoscaler hpa-predictor has 1 to 2 replicas, and shall have 2 to 6"), verified(t, bounds, wider))
	c.Apply(t, strings.NewReplacer("NS", ns, "MIN", "2", "MAX", "6").Replace(autoscaler))
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "HorizontalPodAutoscaler hpa-predictor has 2 to 6 replicas"}, verified(t, bounds, wider))
}

// A bound that somebody wrote after us is theirs.
func TestWhoseBoundsTheyAre(t *testing.T) {
	c, ns := servingCluster(t)
	scale := Scale(acting(c.Client()))
	serviceIn(t, c, ns, "digits", "Standard", "", `{minReplicas: 2, model: {storageUri: "s3://digits/3"}}`)
	change := do(t, scale, onService("scale", ns, "digits", `{"replicas": 3}`))
	require.Contains(t, change.Diff, "taken over from test (Apply")
	applyAs(t, c, "helm", fmt.Sprintf("apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: digits, namespace: %s}\nspec: {predictor: {model: {storageUri: \"s3://digits/3\"}}}\n", ns))
	c.Patch(t, inferenceServices, ns, "digits", `{"spec": {"predictor": {"minReplicas": 1, "maxReplicas": 1}}}`)
	var owned *OwnedError
	require.ErrorAs(t, refused(t, scale, later(onService("scale", ns, "digits", `{"replicas": 3}`))), &owned)
	require.Contains(t, owned.Error(), "spec.predictor.maxReplicas belongs to ")
	require.Contains(t, owned.Error(), "kubectl annotate inferenceservice -n "+ns+" digits scanflow.dev/take-over=")
}
