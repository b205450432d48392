package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

func parse(t *testing.T, spec string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"namespace": "ns", "name": "models"}}}
	var fields map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(spec), &fields))
	o.Object["spec"] = fields
	return o
}

func TestUnsupportedFieldsAreNamed(t *testing.T) {
	services := map[types.NamespacedName]*corev1.Service{}
	for _, name := range []string{"a", "b"} {
		services[types.NamespacedName{Namespace: "ns", Name: name}] = &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	}
	const parent = "parentRefs: [{name: gw, port: 8090}]\n"
	const both = "backendRefs: [{name: a, port: 80, weight: 70}, {name: b, port: 80}]"
	plain := []router.Backend{{Service: "a", Port: 80, Weight: 70}, {Service: "b", Port: 80, Weight: 1}}
	for name, c := range map[string]struct {
		spec        string
		random      bool
		none        bool
		port        int32
		backends    []router.Backend
		why, text   string
		ref, refers string
	}{
		"plain":           {spec: parent + "rules: [{" + both + "}]", port: 8090, backends: plain},
		"defaults":        {spec: "parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw, port: 1}]\nrules: [{matches: [{path: {type: PathPrefix, value: /}}], " + both + "}]", port: 1, backends: plain},
		"no gateway":      {spec: "parentRefs: [{kind: Service, group: '', name: gw, port: 8090}]\nrules: [{" + both + "}]", none: true},
		"no parent":       {spec: "rules: [{" + both + "}]", none: true},
		"no port":         {spec: "parentRefs: [{name: gw}]\nrules: [{" + both + "}]", why: "UnsupportedValue", text: "spec.parentRefs[0].port: is not set"},
		"any port":        {spec: "parentRefs: [{name: gw}]\nrules: [{" + both + "}]", random: true, backends: plain},
		"two parents":     {spec: "parentRefs: [{name: gw, port: 1}, {name: gw, port: 2}]\nrules: [{" + both + "}]", why: "UnsupportedValue", text: "spec.parentRefs: 2 of them"},
		"hostnames":       {spec: parent + "hostnames: [a.example]\nrules: [{" + both + "}]", why: "UnsupportedValue", text: "spec.hostnames: "},
		"two rules":       {spec: parent + "rules: [{" + both + "}, {" + both + "}]", why: "UnsupportedValue", text: "spec.rules: 2 of them"},
		"a path":          {spec: parent + "rules: [{matches: [{path: {value: /x}}], " + both + "}]", why: "UnsupportedValue", text: "spec.rules[0].matches[0]"},
		"an exact path":   {spec: parent + "rules: [{matches: [{path: {type: Exact, value: /}}], " + both + "}]", why: "UnsupportedValue", text: "spec.rules[0].matches[0]"},
		"a header":        {spec: parent + "rules: [{matches: [{headers: [{name: a, value: b}]}], " + both + "}]", why: "UnsupportedValue", text: "spec.rules[0].matches[0]"},
		"a method":        {spec: parent + "rules: [{matches: [{method: GET}], " + both + "}]", why: "UnsupportedValue", text: "spec.rules[0].matches[0]"},
		"a query":         {spec: parent + "rules: [{matches: [{queryParams: [{name: a, value: b}]}], " + both + "}]", why: "UnsupportedValue", text: "spec.rules[0].matches[0]"},
		"filters":         {spec: parent + "rules: [{filters: [{type: RequestMirror}], timeouts: {request: 1s}, " + both + "}]", why: "UnsupportedValue", text: "spec.rules[0].filters: requests are passed on as they are; remove it; spec.rules[0].timeouts"},
		"retry":           {spec: parent + "rules: [{retry: {attempts: 1}, " + both + "}]", why: "UnsupportedValue", text: "spec.rules[0].retry"},
		"sticky":          {spec: parent + "rules: [{sessionPersistence: {}, " + both + "}]", why: "UnsupportedValue", text: "spec.rules[0].sessionPersistence"},
		"backend filters": {spec: parent + "rules: [{backendRefs: [{name: a, port: 80, filters: [{type: URLRewrite}]}]}]", why: "UnsupportedValue", text: "backendRefs[0].filters"},
		"no backend":      {spec: parent + "rules: [{}]", why: "UnsupportedValue", text: "backendRefs: is empty"},
		"nonsense":        {spec: parent + "rules: [{backendRefs: [{name: a, port: x}]}]", why: "UnsupportedValue", text: "can't be read"},
		"no service": {spec: parent + "rules: [{backendRefs: [{name: a, port: 80}, {name: c, port: 80}]}]", port: 8090,
			backends: []router.Backend{{Service: "a", Port: 80, Weight: 1}, {Service: "c", Port: 80, Weight: 1}}, ref: "BackendNotFound", refers: "backendRefs[1].name: there is no Service c"},
		"no such port": {spec: parent + "rules: [{backendRefs: [{name: a, port: 81}]}]", port: 8090,
			backends: []router.Backend{{Service: "a", Port: 81, Weight: 1}}, ref: "BackendNotFound", refers: "backendRefs[0].port: Service a has no such port"},
		"another kind": {spec: parent + "rules: [{backendRefs: [{name: a, port: 80, kind: Backend, group: x.example}]}]", port: 8090,
			backends: []router.Backend{{Weight: 1}}, ref: "InvalidKind", refers: "backendRefs[0].kind: x.example Backend is no Service"},
		"another namespace": {spec: parent + "rules: [{backendRefs: [{name: a, port: 80, namespace: other}]}]", port: 8090,
			backends: []router.Backend{{Weight: 1}}, ref: "RefNotPermitted", refers: "backendRefs[0].namespace: other is not the route's"},
		"its own namespace": {spec: parent + "rules: [{backendRefs: [{name: a, port: 80, namespace: ns, weight: 0}]}]", port: 8090, backends: []router.Backend{{Service: "a", Port: 80}}},
	} {
		t.Run(name, func(t *testing.T) {
			v := evaluate(parse(t, c.spec), services, c.random)
			if c.none {
				require.Nil(t, v)
				return
			}
			require.Equal(t, c.why, v.reason, v.message)
			require.Contains(t, v.message, c.text)
			require.Equal(t, c.ref, v.unresolvedReason)
			require.Contains(t, v.unresolvedMessage, c.refers)
			if c.why == "" {
				require.Equal(t, router.Route{Namespace: "ns", Name: "models", Port: c.port, Backends: c.backends}, v.route)
			}
		})
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("parentRefs: [{name: gw, port: 8090}]\nrules: [{backendRefs: [{name: a}]}]")
	f.Add("parentRefs: [null]\nrules: [null]")
	f.Fuzz(func(t *testing.T, text string) {
		var spec any
		if yaml.Unmarshal([]byte(text), &spec) != nil {
			return
		}
		evaluate(&unstructured.Unstructured{Object: map[string]any{"spec": spec}}, nil, false)
	})
}
