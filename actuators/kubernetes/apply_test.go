package kubernetes

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

func asObject(t *testing.T, text string) map[string]any {
	t.Helper()
	return map[string]any{"object": objectOf(t, text).Object}
}

const settings = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {team: digits}}
data: {batch: "32", workers: "2"}
`

func TestApplyMakesAndChangesAnObject(t *testing.T) {
	b := newBench(t)
	target := engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Name: "web"}
	verb := applier{b.Cluster}
	made := done(t, verb, proposal("apply", target, asObject(t, settings)))
	require.Equal(t, "make ConfigMap "+b.ns+"/settings", made.Diff)
	o := b.read(t, "v1", "ConfigMap", "settings")
	require.Equal(t, map[string]string{"team": "digits", "app.kubernetes.io/managed-by": "scanflow"}, o.GetLabels())
	_, err := verb.Undo(testContext(t), made)
	require.ErrorContains(t, err, "kubectl delete ConfigMap")
	require.True(t, plannedOf(t, verb, later(proposal("apply", target, asObject(t, settings)))).NoOp)

	change := done(t, verb, later(proposal("apply", target, asObject(t, strings.Replace(settings, `batch: "32", workers: "2"`, `batch: "64"`, 1)))))
	require.Equal(t, "ConfigMap "+b.ns+"/settings: data.batch 32 -> 64, data.workers 2 -> none", change.Diff)
	data := func() map[string]string {
		m, _, _ := unstructured.NestedStringMap(b.read(t, "v1", "ConfigMap", "settings").Object, "data")
		return m
	}
	require.Equal(t, map[string]string{"batch": "64"}, data())
	require.Equal(t, "scanflow", b.read(t, "v1", "ConfigMap", "settings").GetLabels()["app.kubernetes.io/managed-by"])
	out, err := verify(t, verb, change)
	require.NoError(t, err)
	require.Equal(t, engine.Done, out.Status)
	_, err = verb.Undo(testContext(t), change)
	require.NoError(t, err)
	require.Equal(t, "32", data()["batch"])

	b.merge(t, "kubectl-edit", "v1", "ConfigMap", "settings", `{"data": {"batch": "1"}}`)
	_, err = verb.Plan(testContext(t), later(proposal("apply", target, asObject(t, settings))))
	var owned *OwnedError
	require.ErrorAs(t, err, &owned)
	require.Contains(t, err.Error(), "data.batch belongs to kubectl-edit (Update, 20")
	out, err = verify(t, verb, change)
	require.NoError(t, err)
	require.Equal(t, engine.Failed, out.Status)
}

// The API server knows which items of a list are one, what it fills in, and how it
// spells a quantity: only what differs is a change, and only its writers count.
func TestApplyTellsTheItemsOfAListApart(t *testing.T) {
	b := newBench(t)
	b.create(t, "helm", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	verb := Apply(b.Cluster)
	limits := func(cpu string) map[string]any {
		return asObject(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - {name: main, resources: {limits: {cpu: `+cpu+`}}, ports: [{name: http, containerPort: 8080}]}
`)
	}
	change := done(t, verb, proposal("apply", target, limits("1000m")))
	require.Contains(t, change.Diff, "Deployment "+b.ns+"/web: spec.template.spec.containers[0].resources.limits.cpu none -> 1, taken over from helm (Update, 20")
	require.Len(t, fieldpath.Maps(b.read(t, "apps/v1", "Deployment", "web").Object, "spec", "template", "spec", "containers"), 2, "the other container stays")
	require.True(t, plannedOf(t, verb, later(proposal("apply", target, limits("1000m")))).NoOp)

	b.merge(t, "kubectl-edit", "apps/v1", "Deployment", "web", `{"metadata": {"labels": {"x": "y"}}}`)
	_, err := b.deployments(t).Patch(testContext(t), "web", "application/strategic-merge-patch+json",
		[]byte(`{"spec": {"template": {"spec": {"containers": [{"name": "main", "resources": {"limits": {"cpu": "3"}}}]}}}}`), metav1.PatchOptions{FieldManager: "kubectl-set"})
	require.NoError(t, err)
	_, err = verb.Plan(testContext(t), later(proposal("apply", target, limits("2"))))
	var owned *OwnedError
	require.ErrorAs(t, err, &owned)
	require.Contains(t, err.Error(), "spec.template.spec.containers[0].resources.limits.cpu belongs to kubectl-set (Update, 20", "though other fields of that container are ours")
}

// Fields that another verb wrote are subject to that verb's claim and guards.
func TestApplyDoesNotGetAroundAnotherVerb(t *testing.T) {
	b := newBench(t)
	b.create(t, "helm", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	done(t, Scale(b.Cluster), proposal("scale", target, to(2)))
	target.Name = "neighbour"
	_, err := Apply(b.Cluster).Plan(testContext(t), proposal("apply", target, asObject(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 50}}")))
	var owned *OwnedError
	require.ErrorAs(t, err, &owned)
	require.Contains(t, err.Error(), "spec.replicas belongs to scanflow-scale (Apply, scale")
}

// The guards bound the replicas of a target, whether or not we have written them.
func TestApplyDoesNotScaleItsTarget(t *testing.T) {
	b := newBench(t)
	b.create(t, "helm", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	_, err := Apply(b.Cluster).Plan(testContext(t), proposal("apply", target, asObject(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 50}}")))
	require.ErrorContains(t, err, "with.object.spec.replicas: the target's replicas have guards; use the primitive `scale`")
}

func TestApplyRefusesWhatItMayNotWrite(t *testing.T) {
	b := newBench(t)
	target := engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Name: "web"}
	for text, want := range map[string]string{
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}}":                                             "Role of rbac.authorization.k8s.io/v1 grants permissions, so no policy may write it",
		"{apiVersion: v1, kind: Secret, metadata: {name: x}}":                                                                     "Secret of v1 holds credentials",
		"{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}}":                                                             "ServiceAccount of v1 is an account",
		"{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, metadata: {name: x}}":                                         "grants an identity",
		"{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: x}}":                  "decides what the API server admits",
		"{apiVersion: scanflow.dev/v1alpha1, kind: Agent, metadata: {name: x}}":                                                   "Agent of scanflow.dev/v1alpha1 is Scanflow's own",
		"{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: x}, value: 1}":                                  "decides whose pods give way",
		"{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {}}":                                                 "is of the whole cluster",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: kube-system}}":                                          "kube-system is not the target's",
		"{apiVersion: v1, kind: ConfigMap, metadata: {}}":                                                                         "object.metadata.name: is missing",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: x, uid: y, managedFields: [], ownerReferences: []}, status: {}}":      "object.metadata.managedFields: can't be set",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: x, annotations: {scanflow.dev/take-over: \"2100-01-01T00:00:00Z\"}}}": "is for people alone",
		"{apiVersion: example.com/v1, kind: Nothing, metadata: {name: x}}":                                                        "the cluster has no kind Nothing of example.com/v1",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, spec: {no: such}, object: [field]}":                               "",
	} {
		change, err := Apply(b.Cluster).Plan(testContext(t), proposal("apply", target, asObject(t, text)))
		if want == "" { // the API server finds that out, as it is made
			require.NoError(t, err)
			_, err = Apply(b.Cluster).Apply(testContext(t), change)
			require.ErrorContains(t, err, "field not declared in schema")
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
	_, err := Apply(b.Cluster).Plan(testContext(t), proposal("apply", target, map[string]any{"object": "text"}))
	require.ErrorContains(t, err, "object: must be a mapping")
	require.Equal(t, "object/ConfigMap/settings", verbparams.ApplyClaim(asObject(t, settings)))
	require.Equal(t, "object//", verbparams.ApplyClaim(nil))
}

// An object that appears between Plan and Apply belongs to somebody else, unless it is ours:
// then an answer was lost.
func TestAnObjectIsMadeOnce(t *testing.T) {
	b := newBench(t)
	target := engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Name: "web"}
	change := plannedOf(t, Apply(b.Cluster), proposal("apply", target, asObject(t, settings)))
	c, p := b.behind(t, lost())
	_, err := Apply(c).Apply(testContext(t), change)
	require.True(t, engine.IsRetryable(err), "%v", err)
	version := b.read(t, "v1", "ConfigMap", "settings").GetResourceVersion()
	_, err = Apply(c).Apply(testContext(t), change)
	require.NoError(t, err)
	require.Equal(t, version, b.read(t, "v1", "ConfigMap", "settings").GetResourceVersion())
	require.Equal(t, 2, p.passed(http.MethodPatch))

	other := plannedOf(t, Apply(b.Cluster), proposal("apply", target, asObject(t, strings.Replace(settings, "name: settings", "name: theirs", 1))))
	b.create(t, "kubectl-create", "{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}, data: {batch: \"1\"}}")
	_, err = Apply(b.Cluster).Apply(testContext(t), other)
	require.ErrorIs(t, err, ErrMoved)
	data, _, _ := unstructured.NestedStringMap(b.read(t, "v1", "ConfigMap", "theirs").Object, "data")
	require.Equal(t, map[string]string{"batch": "1"}, data)
}
