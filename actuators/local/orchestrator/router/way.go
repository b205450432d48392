package router

import (
	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The kinds of ways in.
const (
	KindService = "Service"
	KindRoute   = "HTTPRoute"
)

// Options are how a Router listens.
type Options struct {
	// RandomPorts has each way in listen on a free port instead of its own.
	RandomPorts bool
	// RoutesOnly has no Service listen by itself: only routes lead to them.
	RoutesOnly bool
	Log        hclog.Logger
}

// Way names one way in. A Service has one for each of its ports.
type Way struct {
	Kind, Namespace, Name string
	Port                  int32
}

func (w Way) String() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// Route shares the requests of a port out over Services of its namespace.
type Route struct {
	Namespace, Name string
	Port            int32
	Backends        []Backend
}

// Backend is a port of a Service, and its share of the requests.
type Backend struct {
	Service string
	Port    int32
	Weight  int
}

func (r *Route) way() Way { return Way{KindRoute, r.Namespace, r.Name, r.Port} }

// Pod is a ready pod.
type Pod struct {
	Namespace string
	Labels    map[string]string
	IP        string // "" is 127.0.0.1
	// Port is where a Service's targetPort is reached; false if the pod has no such port.
	Port   func(target intstr.IntOrString) (int, bool)
	Flight *Flight
}

type name struct{ namespace, name string }

type portID struct {
	service name
	port    int32
}

func nameOf(s *corev1.Service) name {
	if s.Namespace == "" {
		return name{corev1.NamespaceDefault, s.Name}
	}
	return name{s.Namespace, s.Name}
}

func selects(selector, of map[string]string) bool {
	return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(of))
}

// targetPort is the port of the pods that a Service's port leads to.
func targetPort(p corev1.ServicePort) intstr.IntOrString {
	if p.TargetPort.IntVal == 0 && p.TargetPort.StrVal == "" {
		return intstr.FromInt32(p.Port)
	}
	return p.TargetPort
}
