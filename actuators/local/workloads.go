package local

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// Workloads is what is to run: the objects of one or more files.
type Workloads struct {
	Deployments []appsv1.Deployment
	Services    []corev1.Service
	Routes      []HTTPRoute
	Workflows   []workflow.Template
	CronJobs    []batchv1.CronJob

	// where tells the place of an object's field; nil for objects made in Go.
	where map[objectID]*source
	// unread are the objects that are declared, but with mistakes that keep them
	// from being read.
	unread map[objectID]bool
}

// HTTPRoute is the part of a gateway.networking.k8s.io/v1 HTTPRoute that can be
// honoured here: one listener, one rule, weights over Services.
type HTTPRoute struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              HTTPRouteSpec `json:"spec"`
}

// HTTPRouteSpec says where the route listens and where it sends.
type HTTPRouteSpec struct {
	ParentRefs []ParentRef `json:"parentRefs"`
	Rules      []RouteRule `json:"rules"`
}

// ParentRef names the Gateway of a cluster. Here only its port counts.
type ParentRef struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Port      int32  `json:"port"`
}

// RouteRule shares the requests out.
type RouteRule struct {
	BackendRefs []BackendRef `json:"backendRefs"`
}

// BackendRef is a Service and its share of the requests.
type BackendRef struct {
	Group string `json:"group,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Name  string `json:"name"`
	Port  int32  `json:"port"`
	// Weight is 1 where it isn't set.
	Weight *int32 `json:"weight,omitempty"`
}

func (b BackendRef) weight() int {
	if b.Weight == nil {
		return 1
	}
	return int(*b.Weight)
}

// key names an object of one kind.
type key struct{ namespace, name string }

func (k key) String() string { return k.namespace + "/" + k.name }

type objectID struct {
	kind string
	key
}

func (id objectID) String() string { return id.kind + " " + id.key.String() }

const (
	kindDeployment = "Deployment"
	kindService    = "Service"
	kindRoute      = "HTTPRoute"
	kindWorkflow   = "WorkflowTemplate"
	kindCronJob    = "CronJob"

	defaultNamespace = "default"
)

func keyOf(m *metav1.ObjectMeta) key {
	if m.Namespace == "" {
		return key{defaultNamespace, m.Name}
	}
	return key{m.Namespace, m.Name}
}
