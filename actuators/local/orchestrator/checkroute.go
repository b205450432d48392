package orchestrator

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (c *checker) service(s *corev1.Service, deployments []appsv1.Deployment) {
	if t := s.Spec.Type; t != "" && t != corev1.ServiceTypeClusterIP {
		c.add("spec.type", "%s can't be honoured; every Service listens on 127.0.0.1, as a ClusterIP would", t)
	}
	if len(s.Spec.Selector) == 0 {
		c.add("spec.selector", "is not set; give it the labels of the pods to send to")
	}
	if len(s.Spec.Ports) == 0 {
		c.add("spec.ports", "is empty; give it the port to listen on")
	}
	numbers := map[int32]bool{}
	for i, p := range s.Spec.Ports {
		at := fmt.Sprintf("spec.ports[%d].", i)
		if p.Port < 1 || p.Port > 65535 {
			c.add(at+"port", "%d is not a port; use 1 to 65535", p.Port)
		}
		if numbers[p.Port] {
			c.add(at+"port", "%d is declared twice", p.Port)
		}
		numbers[p.Port] = true
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			c.add(at+"protocol", "%s can't be honoured; only TCP can", p.Protocol)
		}
		c.targetPort(at+"targetPort", s, p, deployments)
	}
}

// targetPort checks that every Deployment that the Service selects declares the port: only
// declared ports are mapped to ports of this machine.
func (c *checker) targetPort(path string, s *corev1.Service, p corev1.ServicePort, deployments []appsv1.Deployment) {
	target := targetOf(p)
	for i := range deployments {
		d := &deployments[i]
		if keyOf(d).Namespace != c.id.Namespace || !selects(s.Spec.Selector, d.Spec.Template.Labels) || len(d.Spec.Template.Spec.Containers) == 0 {
			continue
		}
		if !slices.ContainsFunc(d.Spec.Template.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return portIs(target, p.Name, p.ContainerPort) }) {
			c.add(path, "%s is not declared in the container ports of Deployment %s; add it there", target.String(), keyOf(d))
		}
	}
}

func (c *checker) route(r *HTTPRoute, w *Workloads) {
	if len(r.Spec.ParentRefs) != 1 {
		c.add("spec.parentRefs", "wants exactly one entry, with the port to listen on")
	}
	for i, p := range r.Spec.ParentRefs {
		at := fmt.Sprintf("spec.parentRefs[%d].", i)
		if p.Kind != "" && p.Kind != "Gateway" || p.Group != "" && p.Group != "gateway.networking.k8s.io" {
			c.add(at+"kind", "%s %s can't be honoured; only a Gateway can be the parent", p.Group, p.Kind)
		}
		if p.Port < 1 || p.Port > 65535 {
			c.add(at+"port", "%d is not a port; give the port to listen on", p.Port)
		}
	}
	if len(r.Spec.Rules) != 1 {
		c.add("spec.rules", "wants exactly one rule: every request goes by its weights")
	}
	for i, rule := range r.Spec.Rules {
		at := fmt.Sprintf("spec.rules[%d].backendRefs", i)
		if len(rule.BackendRefs) == 0 {
			c.add(at, "is empty; name the Services to send to")
		}
		seen := map[string]bool{}
		for j, b := range rule.BackendRefs {
			at := fmt.Sprintf("%s[%d].", at, j)
			if b.Kind != "" && b.Kind != KindService || b.Group != "" {
				c.add(at+"kind", "%s can't be honoured; only a Service can", strings.TrimSpace(b.Group+" "+b.Kind))
			}
			if seen[b.Name] {
				c.add(at+"name", "%q is named twice", b.Name)
			}
			seen[b.Name] = true
			if b.Weight != nil && (*b.Weight < 0 || *b.Weight > 1_000_000) {
				c.add(at+"weight", "%d is outside 0 to 1000000", *b.Weight)
			}
			c.backend(at, b, w)
		}
	}
}

func (c *checker) backend(at string, b BackendRef, w *Workloads) {
	if w.unread[ObjectID{KindService, named(c.id.Namespace, b.Name)}] {
		return // the mistakes in that Service are reported
	}
	for i := range w.Services {
		s := &w.Services[i]
		if keyOf(s) != named(c.id.Namespace, b.Name) {
			continue
		}
		if !slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == b.Port }) {
			c.add(at+"port", "%d is not a port of Service %s", b.Port, keyOf(s))
		}
		return
	}
	c.add(at+"name", "there is no Service %s/%s; declare it, or correct the name", c.id.Namespace, b.Name)
}

func selects(selector, of map[string]string) bool {
	return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(of))
}

func targetOf(p corev1.ServicePort) intstr.IntOrString {
	if p.TargetPort.IntVal == 0 && p.TargetPort.StrVal == "" {
		return intstr.FromInt32(p.Port)
	}
	return p.TargetPort
}

func portIs(want intstr.IntOrString, name string, number int32) bool {
	if want.Type == intstr.String {
		return want.StrVal == name
	}
	return want.IntVal == number
}
