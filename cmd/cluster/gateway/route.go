package gateway

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// routeSpec is the spec of an HTTPRoute. Fields of type any are not supported, and rejected.
type routeSpec struct {
	ParentRefs []parentRef `json:"parentRefs"`
	Hostnames  []string    `json:"hostnames"`
	Rules      []routeRule `json:"rules"`
}

type parentRef struct {
	Group     *string `json:"group,omitempty"`
	Kind      *string `json:"kind,omitempty"`
	Namespace *string `json:"namespace,omitempty"`
	Name      string  `json:"name"`
	Section   *string `json:"sectionName,omitempty"`
	Port      *int32  `json:"port,omitempty"`
}

type routeRule struct {
	Name               string       `json:"name"`
	Matches            []routeMatch `json:"matches"`
	Filters            []any        `json:"filters"`
	Timeouts           any          `json:"timeouts"`
	Retry              any          `json:"retry"`
	SessionPersistence any          `json:"sessionPersistence"`
	BackendRefs        []backendRef `json:"backendRefs"`
}

type routeMatch struct {
	Path *struct {
		Type  *string `json:"type"`
		Value *string `json:"value"`
	} `json:"path"`
	Headers     []any `json:"headers"`
	QueryParams []any `json:"queryParams"`
	Method      any   `json:"method"`
}

type backendRef struct {
	Group     string  `json:"group"`
	Kind      string  `json:"kind"`
	Name      string  `json:"name"`
	Namespace *string `json:"namespace"`
	Port      *int32  `json:"port"`
	Weight    *int32  `json:"weight"`
	Filters   []any   `json:"filters"`
}

// routeState is an evaluated route. Its reasons are those of the Gateway API
// (sigs.k8s.io/gateway-api, apis/v1/shared_types.go, RouteConditionReason).
type routeState struct {
	name              types.NamespacedName
	object            *unstructured.Unstructured
	created           time.Time
	parent            parentRef
	route             router.Route
	reason            string // it is not accepted; "" if it is
	message           string
	unresolvedReason  string // a backend can't be resolved; "" if all can
	unresolvedMessage string
}

func (v *routeState) accepted() bool { return v.reason == "" }

func (v *routeState) reject(reason, message string) {
	if v.reason == "" {
		v.reason, v.message = reason, message
	}
}

// compare orders routes by age: the older one keeps a port in a conflict.
func (v *routeState) compare(o *routeState) int {
	return cmp.Or(v.created.Compare(o.created), cmp.Compare(v.name.String(), o.name.String()))
}

// evaluate reads a route. It returns nil if no parent is a Gateway.
func evaluate(o *unstructured.Unstructured, services map[types.NamespacedName]*corev1.Service, randomPorts bool) *routeState {
	v := &routeState{name: types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}, object: o, created: o.GetCreationTimestamp().Time}
	v.route = router.Route{Namespace: v.name.Namespace, Name: v.name.Name}
	raw, _, _ := unstructured.NestedMap(o.Object, "spec")
	var spec routeSpec
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &spec)
	for _, p := range spec.ParentRefs {
		if kind := deref(p.Kind); kind == "" || kind == "Gateway" {
			v.parent = p
			break
		}
	}
	if v.parent.Name == "" {
		return nil
	}
	if err != nil {
		v.reject("UnsupportedValue", fmt.Sprintf("the spec can't be read: %v", err))
		return v
	}
	if v.parent.Port != nil {
		v.route.Port = *v.parent.Port
	}
	if problems := unsupported(&spec, randomPorts); len(problems) > 0 {
		v.reject("UnsupportedValue", "the stand-in gateway can't honour: "+strings.Join(problems, "; "))
		return v
	}
	for i, b := range spec.Rules[0].BackendRefs {
		v.checkBackend(fmt.Sprintf("spec.rules[0].backendRefs[%d]", i), &b, services)
		weight := 1
		if b.Weight != nil {
			weight = int(*b.Weight)
		}
		port := int32(0)
		if b.Port != nil {
			port = *b.Port
		}
		v.route.Backends = append(v.route.Backends, router.Backend{Service: b.Name, Port: port, Weight: weight})
	}
	return v
}

// unsupported returns a message for each unsupported field.
func unsupported(spec *routeSpec, randomPorts bool) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if len(spec.ParentRefs) != 1 {
		add("spec.parentRefs: %d of them; keep one", len(spec.ParentRefs))
	}
	if spec.ParentRefs[0].Port == nil && !randomPorts {
		add("spec.parentRefs[0].port: is not set; give the port to listen on")
	}
	if len(spec.Hostnames) > 0 {
		add("spec.hostnames: it listens for every host name; remove it")
	}
	if len(spec.Rules) != 1 {
		add("spec.rules: %d of them; every request goes by the weights of one", len(spec.Rules))
		return out
	}
	rule := &spec.Rules[0]
	for i, m := range rule.Matches {
		if !m.matchesAll() {
			add("spec.rules[0].matches[%d]: every request goes by the weights; remove it", i)
		}
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"filters", len(rule.Filters) > 0}, {"timeouts", rule.Timeouts != nil}, {"retry", rule.Retry != nil}, {"sessionPersistence", rule.SessionPersistence != nil},
	} {
		if f.set {
			add("spec.rules[0].%s: requests are passed on as they are; remove it", f.name)
		}
	}
	if len(rule.BackendRefs) == 0 {
		add("spec.rules[0].backendRefs: is empty; name the Services to send to")
	}
	for i, b := range rule.BackendRefs {
		if len(b.Filters) > 0 {
			add("spec.rules[0].backendRefs[%d].filters: requests are passed on as they are; remove it", i)
		}
	}
	return out
}

// matchesAll reports whether every request matches, like the API server's default match.
func (m *routeMatch) matchesAll() bool {
	if len(m.Headers) > 0 || len(m.QueryParams) > 0 || m.Method != nil {
		return false
	}
	if m.Path == nil {
		return true
	}
	kind, value := deref(m.Path.Type), deref(m.Path.Value)
	return (kind == "" || kind == "PathPrefix") && (value == "" || value == "/")
}

// checkBackend records why a backend can't be resolved. Such a backend keeps its weight,
// and its requests are responded to with 503, as the Gateway API requires.
func (v *routeState) checkBackend(at string, b *backendRef, services map[types.NamespacedName]*corev1.Service) {
	reason, message := "", ""
	switch s := services[types.NamespacedName{Namespace: v.name.Namespace, Name: b.Name}]; {
	case b.Group != "" || b.Kind != "" && b.Kind != router.KindService:
		reason, message = "InvalidKind", fmt.Sprintf("%s.kind: %s is no Service", at, strings.TrimSpace(b.Group+" "+b.Kind))
	case b.Namespace != nil && *b.Namespace != "" && *b.Namespace != v.name.Namespace:
		reason, message = "RefNotPermitted", fmt.Sprintf("%s.namespace: %s is not the route's; the stand-in gateway looks at no ReferenceGrant", at, *b.Namespace)
	case s == nil:
		reason, message = "BackendNotFound", fmt.Sprintf("%s.name: there is no Service %s", at, b.Name)
	case b.Port == nil || !hasPort(s, *b.Port):
		reason, message = "BackendNotFound", fmt.Sprintf("%s.port: Service %s has no such port", at, b.Name)
	default:
		return
	}
	if reason != "BackendNotFound" {
		b.Name, b.Port = "", nil // it must not resolve to a Service of this name and namespace
	}
	if v.unresolvedReason == "" {
		v.unresolvedReason = reason
	} else {
		v.unresolvedMessage += "; "
	}
	v.unresolvedMessage += message
}

func hasPort(s *corev1.Service, port int32) bool {
	for _, p := range s.Spec.Ports {
		if p.Port == port {
			return true
		}
	}
	return false
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
