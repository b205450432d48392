package kubernetes

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

const (
	gatewayVersion = "gateway.networking.k8s.io/v1"
	gatewayRoute   = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: digits}
spec:
  parentRefs: [{name: front}]
  hostnames: [digits.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /predict}}]
    timeouts: {request: 2s}
    backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80, weight: 1}]
  - matches: [{path: {type: PathPrefix, value: /admin}}]
    backendRefs: [{name: admin, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /batch}}]
    backendRefs: [{name: v2, port: 80, weight: 10}, {name: v1, port: 80, weight: 90}]
`
	meshRoute = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: digits}
spec:
  hosts: [digits]
  http:
  - match: [{uri: {prefix: /admin}}]
    route: [{destination: {host: admin}}]
  - retries: {attempts: 2}
    route:
    - {destination: {host: digits, subset: v1}, weight: 100}
    - {destination: {host: digits, subset: v2}, weight: 0}
    - {destination: {host: shadow}}
`
	canaryRoute = `
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: digits, annotations: {serving.kserve.io/deploymentMode: Knative}}
spec:
  predictor: {model: {modelFormat: {name: sklearn}, storageUri: "s3://m/1"}}
`
	seldonRoute = `
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: digits}
spec:
  predictors:
  - {name: main, replicas: 2, traffic: 100, graph: {name: c, implementation: SKLEARN_SERVER}}
  - {name: next, replicas: 1, traffic: 0, graph: {name: c, implementation: SKLEARN_SERVER}}
  - {name: dark, shadow: true, graph: {name: c, implementation: SKLEARN_SERVER}}
`
)

var routeKinds = []string{"httproute", "virtualservice", "inferenceservice", "seldondeployment"}

func trafficBench(t *testing.T) (*bench, engine.Target) {
	t.Helper()
	b := newBench(t)
	b.admin.InstallCRDs(t, routeKinds...)
	soon(t, "the kinds of routes are found", func() bool {
		for _, row := range splits {
			if _, err := b.Client.Kinds.Find(row.version, row.kind); err != nil {
				return false
			}
		}
		return true
	})
	return b, engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Name: "web"}
}

func shares(kind string, weights map[string]any) map[string]any {
	return map[string]any{"kind": kind, "route": "digits", "weights": weights}
}

var splits = []struct {
	version, kind, text string
	weights             map[string]any
	diff                string
	want                func(spec map[string]any) // makes of the old spec the new one
}{
	{gatewayVersion, "HTTPRoute", gatewayRoute, map[string]any{"v1": 1.0, "v2": 3.0}, "weights v1 9 -> 1, v2 1 -> 3, v2 10 -> 3, v1 90 -> 1 in spec.rules[0], spec.rules[2]", func(spec map[string]any) {
		for _, i := range []int{0, 2} {
			for _, ref := range fieldpath.Maps(fieldpath.Maps(spec, "rules")[i], "backendRefs") {
				ref["weight"] = map[string]int64{"v1": 1, "v2": 3}[ref["name"].(string)]
			}
		}
	}},
	{"networking.istio.io/v1", "VirtualService", meshRoute, map[string]any{"digits/v1": 2.0, "digits/v2": 1.0, "shadow": 0.0}, "weights digits/v1 100 -> 67, digits/v2 0 -> 33 in spec.http[1]", func(spec map[string]any) {
		routes := fieldpath.Maps(fieldpath.Maps(spec, "http")[1], "route")
		routes[0]["weight"], routes[1]["weight"] = int64(67), int64(33)
	}},
	{"machinelearning.seldon.io/v1", "SeldonDeployment", seldonRoute, map[string]any{"main": 3.0, "next": 1.0}, "weights main 100 -> 75, next 0 -> 25", func(spec map[string]any) {
		list := fieldpath.Maps(spec, "predictors")
		list[0]["traffic"], list[1]["traffic"] = int64(75), int64(25)
	}},
}

// All fields other than the weights of the backends are unchanged, for every kind.
func TestTrafficChangesTheWeightsAlone(t *testing.T) {
	b, target := trafficBench(t)
	verb := trafficVerb{b.Cluster}
	for _, row := range splits {
		t.Run(row.kind, func(t *testing.T) {
			made := b.create(t, "helm", row.text)
			p := proposal("traffic", target, shares(row.kind, row.weights))
			change := done(t, verb, p)
			require.Contains(t, change.Diff, row.kind+" "+b.ns+"/digits: "+row.diff)
			want := made.DeepCopy()
			row.want(want.Object["spec"].(map[string]any))
			got := b.read(t, row.version, row.kind, "digits")
			require.Equal(t, want.Object["spec"], got.Object["spec"])
			require.True(t, plannedOf(t, verb, later(p)).NoOp)

			out, err := verify(t, verb, change)
			require.NoError(t, err)
			require.Equal(t, engine.Done, out.Status, out.Detail)
			back, err := verb.Undo(testContext(t), change)
			require.NoError(t, err)
			require.Equal(t, engine.Done, back.Status)
			require.Equal(t, made.Object["spec"], b.read(t, row.version, row.kind, "digits").Object["spec"])
			version := b.read(t, row.version, row.kind, "digits").GetResourceVersion()
			_, err = verb.Undo(testContext(t), change)
			require.NoError(t, err, "twice is once")
			require.Equal(t, version, b.read(t, row.version, row.kind, "digits").GetResourceVersion())
			out, err = verify(t, verb, change)
			require.NoError(t, err)
			require.Equal(t, engine.Failed, out.Status, "the weights are no longer those")
		})
	}
}

func TestWhoseWeightsTheyAre(t *testing.T) {
	b, target := trafficBench(t)
	verb := trafficVerb{b.Cluster}
	b.create(t, "kubectl-client-side-apply", gatewayRoute)
	with := func(v1, v2 float64) map[string]any { return shares("HTTPRoute", map[string]any{"v1": v1, "v2": v2}) }
	change := done(t, verb, proposal("traffic", target, with(5, 5)))
	require.Contains(t, change.Diff, "taken over from kubectl-client-side-apply (Update, 20")

	b.merge(t, "kubectl-edit", gatewayVersion, "HTTPRoute", "digits", `{"spec": {"rules": [{"backendRefs": [{"name": "v1", "weight": 1}, {"name": "v2", "weight": 1}]}]}}`)
	_, err := verb.Plan(testContext(t), later(proposal("traffic", target, with(1, 9))))
	var owned *OwnedError
	require.ErrorAs(t, err, &owned)
	require.Contains(t, err.Error(), "spec.rules belongs to kubectl-edit (Update, 20")
	require.Contains(t, err.Error(), "kubectl annotate httproute -n "+b.ns+" digits ")
	_, err = verb.Undo(testContext(t), change)
	require.ErrorIs(t, err, ErrMoved, "an undo leaves alone what somebody else wrote")

	b.merge(t, "kubectl-annotate", gatewayVersion, "HTTPRoute", "digits", `{"metadata": {"annotations": {"scanflow.dev/take-over": "`+time.Now().Add(30*time.Second).UTC().Format(time.RFC3339)+`"}}}`)
	planned := plannedOf(t, verb, later(proposal("traffic", target, with(1, 9))))
	require.Contains(t, planned.Diff, "taken over from kubectl-edit")

	b.merge(t, "kubectl-edit", gatewayVersion, "HTTPRoute", "digits", `{"spec": {"hostnames": ["other.example.com"]}}`)
	_, err = verb.Apply(testContext(t), planned)
	require.NoError(t, err, "another field does not matter")
	stale := plannedOf(t, verb, later(proposal("traffic", target, with(9, 1))))
	b.merge(t, "kubectl-edit", gatewayVersion, "HTTPRoute", "digits", `{"spec": {"rules": []}}`)
	_, err = verb.Apply(testContext(t), stale)
	require.ErrorIs(t, err, ErrMoved)
	require.NoError(t, b.on(t, gatewayVersion, "HTTPRoute").Delete(testContext(t), "digits", metav1.DeleteOptions{}))
	_, err = verb.Apply(testContext(t), stale)
	require.Error(t, err)
	list, err := b.on(t, gatewayVersion, "HTTPRoute").List(testContext(t), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, list.Items, "a route that was deleted is not made again")
}

func TestTrafficThatCanNotBe(t *testing.T) {
	b, target := trafficBench(t)
	for _, text := range []string{gatewayRoute, meshRoute, canaryRoute, seldonRoute} {
		b.create(t, "helm", text)
	}
	for name, row := range map[string]struct {
		with map[string]any
		want string
	}{
		"unknown backend":     {shares("HTTPRoute", map[string]any{"v1": 1.0, "v3": 1.0}), "HTTPRoute NS/digits has no such backend: v3; it has: admin, v1, v2"},
		"of two rules":        {shares("HTTPRoute", map[string]any{"v1": 1.0, "admin": 1.0}), "has no one rule with all of these backends"},
		"a subset is needed":  {shares("VirtualService", map[string]any{"digits": 1.0}), "has no such backend: digits; it has: admin, digits/v1, digits/v2, shadow"},
		"revisions":           {shares("InferenceService", map[string]any{"v1": 1.0}), "has no such backend: v1; it has: latest, previous"},
		"no revision before":  {shares("InferenceService", map[string]any{"latest": 1.0, "previous": 1.0}), "can't give previous a share: no revision before has had all of the requests yet"},
		"a shadow gets none":  {shares("SeldonDeployment", map[string]any{"dark": 1.0}), "has no such backend: dark; it has: main, next"},
		"no route":            {map[string]any{"route": "none", "weights": map[string]any{"v1": 1.0}}, "read HTTPRoute NS/none"},
		"unknown kind":        {shares("Ingress", map[string]any{"v1": 1.0}), "kind"},
		"no weight above 0":   {shares("HTTPRoute", map[string]any{"v1": 0.0}), "at least one must be above 0"},
		"and negative weight": {shares("HTTPRoute", map[string]any{"v1": -1.0}), "weights.v1: must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Traffic(b.Cluster).Plan(testContext(t), proposal("traffic", target, row.with))
			require.ErrorContains(t, err, strings.ReplaceAll(row.want, "NS", b.ns))
			require.False(t, engine.IsRetryable(err))
		})
	}
}

// A gateway reports on the route in its status, by a condition of its generation.
func TestTheGatewaySaysWhetherItTookTheRoute(t *testing.T) {
	b, target := trafficBench(t)
	verb := trafficVerb{b.Cluster}
	b.create(t, "helm", gatewayRoute)
	change := done(t, verb, proposal("traffic", target, shares("HTTPRoute", map[string]any{"v1": 1.0, "v2": 1.0})))
	generation := b.read(t, gatewayVersion, "HTTPRoute", "digits").GetGeneration()
	for _, row := range []struct {
		behind         int64
		accepted, refs string
		want           engine.Status
		detail         string
	}{
		{1, "True", "True", engine.Running, "the gateway front has not taken the route yet"},
		{0, "True", "True", engine.Done, "the gateways have taken the weights"},
		{0, "True", "False", engine.Failed, "the gateway front says that the route is not ResolvedRefs: Why: no such service"},
		{0, "False", "True", engine.Failed, "the gateway front says that the route is not Accepted: Why: no such service"},
	} {
		condition := func(kind, status string) map[string]any {
			return map[string]any{"type": kind, "status": status, "reason": "Why", "message": "no such service", "observedGeneration": generation - row.behind}
		}
		o := b.read(t, gatewayVersion, "HTTPRoute", "digits")
		o.Object["status"] = map[string]any{"parents": []any{map[string]any{
			"parentRef": map[string]any{"name": "front"}, "controllerName": "example.com/gateway",
			"conditions": []any{condition("Accepted", row.accepted), condition("ResolvedRefs", row.refs)},
		}}}
		_, err := b.on(t, gatewayVersion, "HTTPRoute").UpdateStatus(testContext(t), o, metav1.UpdateOptions{FieldManager: "gateway"})
		require.NoError(t, err)
		out, err := verify(t, verb, change)
		require.NoError(t, err)
		require.Equal(t, engine.Outcome{Status: row.want, Detail: row.detail}, out)
	}
}

// The old version of a kind serves where the new one is not there.
func TestTheOldVersionOfAKind(t *testing.T) {
	b, _ := trafficBench(t)
	b.create(t, "helm", meshRoute)
	o, err := b.getFirst(testContext(t), []string{"networking.istio.io/v9", "networking.istio.io/v1"}, "VirtualService", b.ns, "digits")
	require.NoError(t, err)
	require.Equal(t, "networking.istio.io/v1", o.GetAPIVersion())
	_, err = b.getFirst(testContext(t), []string{"networking.istio.io/v9", "networking.istio.io/v8"}, "VirtualService", b.ns, "digits")
	require.ErrorContains(t, err, "networking.istio.io/v9", "the preferred one is what is asked for")
	_, err = b.getFirst(testContext(t), []string{"networking.istio.io/v1", "networking.istio.io/v9"}, "VirtualService", b.ns, "none")
	require.ErrorContains(t, err, "not found")
}

// Percentages add up to 100, and each is less than one from its exact share.
func TestPercentagesAddUp(t *testing.T) {
	require.Equal(t, map[string]int{"a": 34, "b": 33, "c": 33}, percent(map[string]int{"a": 1, "b": 1, "c": 1}))
	require.Equal(t, map[string]int{"a": 100, "b": 0}, percent(map[string]int{"a": 7, "b": 0}))
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.MapOfN(rapid.StringMatching("[a-f]{1,2}"), rapid.IntRange(0, 1_000_000), 0, 12).Draw(t, "weights")
		weights["z"] = rapid.IntRange(1, 1_000_000).Draw(t, "at least one")
		sum := 0
		for _, w := range weights {
			sum += w
		}
		total := 0
		for name, share := range percent(weights) {
			total += share
			exact := float64(weights[name]) * 100 / float64(sum)
			if d := float64(share) - exact; d >= 1 || d <= -1 {
				t.Fatalf("%s: %d of an exact %f", name, share, exact)
			}
		}
		if total != 100 {
			t.Fatalf("the sum is %d", total)
		}
	})
}
