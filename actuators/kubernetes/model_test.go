package kubernetes

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

var (
	inferenceServices = schema.GroupVersionResource{Group: kserveGroup, Version: "v1beta1", Resource: "inferenceservices"}
	seldonDeployments = schema.GroupVersionResource{Group: seldonGroup, Version: "v1", Resource: "seldondeployments"}
)

func predictor(namespace, kind, name string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: %s
metadata: {name: %s, namespace: %s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec:
      containers:
      - name: server
        image: none
        args: [serve, "--model=s3://digits/3", --verbose]
        env:
        - {name: LOG, value: debug}
        - {name: MODEL, value: "s3://digits/3"}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
`, kind, name, namespace)
}

func TestModelOfAWorkload(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	serve := ModelServe(acting(c.Client()))
	container := []any{"spec", "template", "spec", "containers", 0}
	for name, row := range map[string]struct {
		kind, with string
		diff       string
		field      string
		after      string
		model      string
	}{
		"variable": {"Deployment", `{"uri": "s3://digits/4", "version": "digits/4", "env": "MODEL"}`, `^spec.template.spec.containers\[0\].env\[1\].value s3://digits/3 -> s3://digits/4, taken over from test \(Apply.*, spec.template.metadata.annotations\['scanflow.dev/model'\] none -> digits/4$`,
			"env", `[{"name":"LOG","value":"debug"},{"name":"MODEL","value":"s3://digits/4"},{"name":"NODE","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"spec.nodeName"}}}]`, "digits/4"},
		"new-variable": {"StatefulSet", `{"version": "5", "env": "VERSION", "container": "server"}`, `^spec.template.spec.containers\[0\].env\[VERSION\] none -> 5, `,
			"env", `[{"name":"LOG","value":"debug"},{"name":"MODEL","value":"s3://digits/3"},{"name":"NODE","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"spec.nodeName"}}},{"name":"VERSION","value":"5"}]`, "5"},
		"argument": {"Deployment", `{"uri": "s3://digits/4", "argument": "--model="}`, `^spec.template.spec.containers\[0\].args --model=s3://digits/3 -> --model=s3://digits/4, taken over from test \(Apply`,
			"args", `["serve","--model=s3://digits/4","--verbose"]`, "s3://digits/4"},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.Apply(t, predictor(ns, row.kind, name))[0]
			p := wish("model.serve", "apps/v1", row.kind, ns, name, row.with)
			change := do(t, serve, p)
			require.Regexp(t, row.diff, change.Diff)
			now := fetch(t, c, "apps/v1", row.kind, ns, name)
			require.JSONEq(t, row.after, at(t, now, append(container[:5:5], row.field)...))
			require.JSONEq(t, fmt.Sprintf("%q", row.model), at(t, now, "spec", "template", "metadata", "annotations", clusterview.ModelAnnotation))
			require.True(t, planOf(t, serve, p).NoOp)

			_, err := serve.(engine.Undoer).Undo(testContext(t), change)
			require.NoError(t, err)
			now = fetch(t, c, "apps/v1", row.kind, ns, name)
			require.JSONEq(t, at(t, before, "spec", "template"), at(t, now, "spec", "template"), "as its author wrote it")
		})
	}
}

// A second act names one variable, and keeps the other that the first wrote.
func TestModelKeepsItsOwnFields(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, predictor(ns, "Deployment", "two"))
	serve := ModelServe(acting(c.Client()))
	do(t, serve, onDeployment("model.serve", ns, "two", `{"uri": "s3://digits/4", "env": "EXTRA"}`))
	do(t, serve, onDeployment("model.serve", ns, "two", `{"uri": "s3://digits/4", "version": "4", "env": "MODEL"}`))
	require.JSONEq(t, `[{"name":"LOG","value":"debug"},{"name":"MODEL","value":"s3://digits/4"},{"name":"NODE","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"spec.nodeName"}}},{"name":"EXTRA","value":"s3://digits/4"}]`,
		at(t, fetch(t, c, "apps/v1", "Deployment", ns, "two"), "spec", "template", "spec", "containers", 0, "env"))
}

func TestModelRefuses(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "inferenceservice", "seldondeployment")
	ns := c.Namespace(t)
	c.Apply(t, predictor(ns, "Deployment", "one")+web(ns, "web", 1, "a: b")+"---"+inference(ns, "empty", "{minReplicas: 1}")+"---"+seldon(ns))
	serve := ModelServe(acting(c.Client()))
	on := func(name, with string) engine.Proposal { return onDeployment("model.serve", ns, name, with) }
	for name, row := range map[string]struct {
		p    engine.Proposal
		want []string
	}{
		"nothing":              {on("one", `{"env": "A", "argument": "B", "canaryPercent": 101}`), []string{"canaryPercent", "env and argument"}},
		"a reference":          {on("one", `{"uri": "u", "env": "NODE"}`), []string{"container server: its variable NODE comes from somewhere else"}},
		"no such argument":     {on("one", `{"uri": "u", "argument": "--modell="}`), []string{"none of its arguments begins with --modell="}},
		"no such container":    {on("one", `{"uri": "u", "env": "MODEL", "container": "serve"}`), []string{`no container "serve"; it has server`}},
		"which container":      {on("web", `{"uri": "u", "env": "MODEL"}`), []string{"it has 2 containers: say in container which of main, log serves"}},
		"canary":               {on("one", `{"uri": "u", "env": "MODEL", "canaryPercent": 5}`), []string{"a Deployment has none", "traffic"}},
		"nowhere":              {on("one", `{"uri": "u"}`), []string{"by env or by argument"}},
		"no model":             {wish("model.serve", kserveGroup+"/v1beta1", "InferenceService", ns, "empty", `{"uri": "u"}`), []string{"neither a model nor a framework with a storageUri"}},
		"env of a service":     {wish("model.serve", kserveGroup+"/v1beta1", "InferenceService", ns, "empty", `{"uri": "u", "env": "MODEL"}`), []string{"leave out env and argument"}},
		"which predictor":      {wish("model.serve", seldonGroup+"/v1", "SeldonDeployment", ns, "digits", `{"uri": "u"}`), []string{"which of stable, candidate serves"}},
		"argument of Seldon's": {wish("model.serve", seldonGroup+"/v1", "SeldonDeployment", ns, "digits", `{"uri": "u", "argument": "-m"}`), []string{"leave out env and argument"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := refused(t, serve, row.p)
			for _, w := range row.want {
				require.ErrorContains(t, err, w)
			}
		})
	}
}

func inference(namespace, name, predictor string) string {
	return fmt.Sprintf(`
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: %s, namespace: %s}
spec: {predictor: %s}
`, name, namespace, predictor)
}

func seldon(namespace string) string {
	return `
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: digits, namespace: ` + namespace + `}
spec:
  name: digits
  predictors:
  - {name: stable, replicas: 2, traffic: 100, graph: {name: m, implementation: SKLEARN_SERVER, modelUri: "s3://digits/3"}}
  - {name: candidate, replicas: 1, traffic: 0, graph: {name: m, implementation: SKLEARN_SERVER, modelUri: "s3://digits/3"}}
`
}

func TestModelOfASeldonDeployment(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "seldondeployment")
	ns := c.Namespace(t)
	before := c.Apply(t, seldon(ns))[0]
	serve := ModelServe(acting(c.Client()))
	p := wish("model.serve", seldonGroup+"/v1", "SeldonDeployment", ns, "digits", `{"uri": "s3://digits/4", "version": "4", "container": "candidate", "canaryPercent": 20}`)
	change := do(t, serve, p)
	require.Contains(t, change.Diff, "spec.predictors[1].graph.modelUri s3://digits/3 -> s3://digits/4, taken over from test (Apply")
	now := fetch(t, c, seldonGroup+"/v1", "SeldonDeployment", ns, "digits")
	require.JSONEq(t, `[
		{"name":"stable","replicas":2,"traffic":80,"graph":{"name":"m","implementation":"SKLEARN_SERVER","modelUri":"s3://digits/3"}},
		{"name":"candidate","replicas":1,"traffic":20,"graph":{"name":"m","implementation":"SKLEARN_SERVER","modelUri":"s3://digits/4"}}]`, at(t, now, "spec", "predictors"))
	require.True(t, planOf(t, serve, p).NoOp)

	for _, row := range []struct {
		status string
		want   engine.Status
	}{
		{`{"state":"Creating"}`, engine.Running},
		{`{"state":"Failed","description":"no such bucket"}`, engine.Failed},
		{`{"state":"Available","description":null}`, engine.Done},
	} {
		c.Patch(t, seldonDeployments, ns, "digits", `{"status":`+row.status+`}`, "status")
		require.Equal(t, row.want, verified(t, serve, change).Status, row.status)
	}
	_, err := serve.(engine.Undoer).Undo(testContext(t), change)
	require.NoError(t, err)
	require.JSONEq(t, at(t, before, "spec"), at(t, fetch(t, c, seldonGroup+"/v1", "SeldonDeployment", ns, "digits"), "spec"))
}
