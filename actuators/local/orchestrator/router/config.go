package router

import (
	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The kinds of frontends.
const (
	KindService = "Service"
	KindRoute   = "HTTPRoute"
)

// Options configure a Router.
type Options struct {
	// RandomPorts makes each frontend listen on a free port instead of its own.
	RandomPorts bool
	// RoutesOnly makes Services reachable through routes only: none is a frontend itself.
	RoutesOnly bool
	Log        hclog.Logger
}

// FrontendID identifies a frontend. A Service has a frontend for each of its ports.
type FrontendID struct {
	Kind, Namespace, Name string
	Port                  int32
}

func (id FrontendID) String() string { return id.Kind + " " + id.Namespace + "/" + id.Name }

// Route distributes the requests of a port over Services of its namespace.
type Route struct {
	Namespace, Name string
	Port            int32
	Rule            string // the name of the rule; "" where it has none
	Backends        []Backend
}

// Backend is a port of a Service, and its weight.
type Backend struct {
	Service string
	Port    int32
	Weight  int
}

func (r *Route) frontendID() FrontendID { return FrontendID{KindRoute, r.Namespace, r.Name, r.Port} }

// Pod is a ready pod.
type Pod struct {
	Namespace string
	Labels    map[string]string
	IP        string // "" is 127.0.0.1
	// Port resolves a Service's targetPort; false if the pod has no such port.
	Port     func(target intstr.IntOrString) (int, bool)
	Inflight *Inflight
}

type serviceName struct{ namespace, name string }

type portID struct {
	service serviceName
	port    int32
}

func serviceNameOf(s *corev1.Service) serviceName {
	if s.Namespace == "" {
		return serviceName{corev1.NamespaceDefault, s.Name}
	}
	return serviceName{s.Namespace, s.Name}
}

func selects(selector, podLabels map[string]string) bool {
	return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(podLabels))
}

// targetPort returns the target port of a Service's port, which defaults to the port.
func targetPort(p corev1.ServicePort) intstr.IntOrString {
	if p.TargetPort.IntVal == 0 && p.TargetPort.StrVal == "" {
		return intstr.FromInt32(p.Port)
	}
	return p.TargetPort
}
