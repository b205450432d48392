package orchestrator

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// Workloads are the objects to run, read from one or more files.
type Workloads struct {
	Deployments []appsv1.Deployment
	Services    []corev1.Service
	Routes      []HTTPRoute
	Workflows   []workflow.Template
	CronJobs    []batchv1.CronJob

	// where holds the position of each object in its file; nil for objects made in Go.
	where map[ObjectID]*source
	// unread holds the objects that are declared but could not be decoded.
	unread map[ObjectID]bool
}

// HTTPRoute is the supported part of a gateway.networking.k8s.io/v1 HTTPRoute: one
// listener, one rule, weights over Services.
type HTTPRoute struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              HTTPRouteSpec `json:"spec"`
}

// HTTPRouteSpec holds the port that the route listens on, and its backends.
type HTTPRouteSpec struct {
	ParentRefs []ParentRef `json:"parentRefs"`
	Rules      []RouteRule `json:"rules"`
}

// ParentRef names a Gateway. The local orchestrator uses only its port.
type ParentRef struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Port      int32  `json:"port"`
}

// RouteRule distributes requests over backends.
type RouteRule struct {
	Name        string       `json:"name,omitempty"`
	BackendRefs []BackendRef `json:"backendRefs"`
}

// BackendRef is a Service port with its weight.
type BackendRef struct {
	Group string `json:"group,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Name  string `json:"name"`
	Port  int32  `json:"port"`
	// Weight defaults to 1.
	Weight *int32 `json:"weight,omitempty"`
}

func (b BackendRef) weight() int {
	if b.Weight == nil {
		return 1
	}
	return int(*b.Weight)
}
