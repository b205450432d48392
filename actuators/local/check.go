package local

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

const hostnameKey = "kubernetes.io/hostname"

// checker collects the mistakes of values: what the field's name alone doesn't show.
type checker struct {
	id    objectID
	src   *source
	found *Problems
}

func (c *checker) add(path, format string, args ...any) {
	p := Problem{Object: c.id.String(), Path: path, Message: fmt.Sprintf(format, args...)}
	if c.src != nil {
		if c.src.known(path) {
			return
		}
		p.File, p.Line = c.src.file, c.src.at(path)
	}
	*c.found = append(*c.found, p)
}

// check names every mistake in the values of the objects and between them.
func (w *Workloads) check() Problems {
	var found Problems
	seen := map[objectID]bool{}
	at := func(kind string, m *metav1.ObjectMeta) *checker {
		id := objectID{kind, keyOf(m)}
		c := &checker{id, w.where[id], &found}
		if seen[id] {
			c.add("metadata.name", "is declared twice; keep one")
		}
		seen[id] = true
		// The names become parts of file names, so that this is also a matter of safety.
		if why := validation.IsDNS1123Subdomain(m.Name); len(why) > 0 {
			c.add("metadata.name", "%q: %s", m.Name, strings.Join(why, "; "))
		}
		if why := validation.IsDNS1123Label(keyOf(m).namespace); len(why) > 0 {
			c.add("metadata.namespace", "%q: %s", m.Namespace, strings.Join(why, "; "))
		}
		return c
	}
	for i := range w.Deployments {
		at(kindDeployment, &w.Deployments[i].ObjectMeta).deployment(&w.Deployments[i])
	}
	for i := range w.Services {
		at(kindService, &w.Services[i].ObjectMeta).service(&w.Services[i], w.Deployments)
	}
	for i := range w.Routes {
		at(kindRoute, &w.Routes[i].ObjectMeta).route(&w.Routes[i], w)
	}
	for i := range w.Workflows {
		at(kindWorkflow, &w.Workflows[i].ObjectMeta).workflow(&w.Workflows[i])
	}
	for i := range w.CronJobs {
		at(kindCronJob, &w.CronJobs[i].ObjectMeta).cronJob(&w.CronJobs[i])
	}
	return found
}

func (c *checker) deployment(d *appsv1.Deployment) {
	if r := d.Spec.Replicas; r != nil && *r < 0 {
		c.add("spec.replicas", "%d is negative", *r)
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	switch {
	case err != nil:
		c.add("spec.selector", "%v", err)
	case d.Spec.Selector == nil || selector.Empty():
		c.add("spec.selector", "is not set; give it matchLabels that the template's labels carry")
	case !selector.Matches(labels.Set(d.Spec.Template.Labels)):
		c.add("spec.template.metadata.labels", "don't match spec.selector (%s); give the template those labels", selector)
	}
	if t := d.Spec.Strategy.Type; t != "" && t != appsv1.RollingUpdateDeploymentStrategyType {
		c.add("spec.strategy.type", "%s can't be honoured; only RollingUpdate can", t)
	}
	if _, err := surgeOf(d); err != nil {
		c.add("spec.strategy.rollingUpdate", "%v", err)
	}
	c.pod(&d.Spec.Template.Spec)
}

func (c *checker) pod(spec *corev1.PodSpec) {
	const at = "spec.template.spec."
	for _, p := range pod.Check(spec) {
		c.add(at+p.Path, "%s", p.Message)
	}
	for i := range spec.Containers {
		c.limits(fmt.Sprintf("%scontainers[%d]", at, i), &spec.Containers[i])
	}
	if r := spec.RestartPolicy; r != "" && r != corev1.RestartPolicyAlways {
		c.add(at+"restartPolicy", "%s is not for a Deployment; only Always is", r)
	}
	for name, v := range map[string]*bool{"automountServiceAccountToken": spec.AutomountServiceAccountToken, "enableServiceLinks": spec.EnableServiceLinks} {
		if v != nil && *v {
			c.add(at+name, "can't be honoured; set it to false")
		}
	}
	c.placement(at, spec.NodeSelector, spec.Affinity)
}

// placement checks where pods may go.
func (c *checker) placement(at string, nodeSelector map[string]string, affinity *corev1.Affinity) {
	for k := range nodeSelector {
		if k != hostnameKey {
			c.add(at+"nodeSelector."+k, "the local nodes have no such label; only %s can be selected", hostnameKey)
		}
	}
	for i, term := range antiAffinity(affinity) {
		c.term(fmt.Sprintf(at+"affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[%d].", i), &term)
	}
	for i, term := range requiredNear(affinity) {
		c.term(fmt.Sprintf(at+"affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[%d].", i), &term)
	}
	for field, anti := range map[string]bool{"podAntiAffinity": true, "podAffinity": false} {
		for i, w := range preferred(affinity, anti) {
			at := fmt.Sprintf(at+"affinity.%s.preferredDuringSchedulingIgnoredDuringExecution[%d].", field, i)
			c.term(at+"podAffinityTerm.", &w.PodAffinityTerm)
			if w.Weight < 1 || w.Weight > preferredWeight {
				c.add(at+"weight", "%d is outside 1 to %d", w.Weight, preferredWeight)
			}
		}
	}
}

// term checks which pods one is to be near to, or away from.
func (c *checker) term(at string, term *corev1.PodAffinityTerm) {
	if term.TopologyKey != hostnameKey {
		c.add(at+"topologyKey", "%q can't be honoured; only %s can", term.TopologyKey, hostnameKey)
	}
	if _, err := metav1.LabelSelectorAsSelector(term.LabelSelector); err != nil {
		c.add(at+"labelSelector", "%v", err)
	}
}

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

// targetPort must be declared by every Deployment that the Service selects: only
// declared ports are mapped to ports of this machine.
func (c *checker) targetPort(path string, s *corev1.Service, p corev1.ServicePort, deployments []appsv1.Deployment) {
	target := targetOf(p)
	for i := range deployments {
		d := &deployments[i]
		if keyOf(&d.ObjectMeta).namespace != c.id.namespace || !selects(s.Spec.Selector, d.Spec.Template.Labels) || len(d.Spec.Template.Spec.Containers) == 0 {
			continue
		}
		declared := false
		for _, cp := range d.Spec.Template.Spec.Containers[0].Ports {
			declared = declared || portIs(target, cp.Name, cp.ContainerPort)
		}
		if !declared {
			c.add(path, "%s is not declared in the container ports of Deployment %s; add it there", target.String(), keyOf(&d.ObjectMeta))
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
			if b.Kind != "" && b.Kind != kindService || b.Group != "" {
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
	if w.unread[objectID{kindService, key{c.id.namespace, b.Name}}] {
		return // its own mistakes come first
	}
	for i := range w.Services {
		s := &w.Services[i]
		if (keyOf(&s.ObjectMeta) != key{c.id.namespace, b.Name}) {
			continue
		}
		for _, p := range s.Spec.Ports {
			if p.Port == b.Port {
				return
			}
		}
		c.add(at+"port", "%d is not a port of Service %s", b.Port, keyOf(&s.ObjectMeta))
		return
	}
	c.add(at+"name", "there is no Service %s/%s; declare it, or correct the name", c.id.namespace, b.Name)
}

func antiAffinity(a *corev1.Affinity) []corev1.PodAffinityTerm {
	if a == nil || a.PodAntiAffinity == nil {
		return nil
	}
	return a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
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
