package orchestrator

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// checker collects the mistakes in the values of one object. The walker has checked the
// names of its fields.
type checker struct {
	id    ObjectID
	src   *source
	found *mistake.Mistakes
}

func (c *checker) add(path, format string, args ...any) {
	p := mistake.Mistake{Object: c.id.String(), Path: path, Message: fmt.Sprintf(format, args...)}
	if c.src != nil {
		if c.src.known(path) {
			return
		}
		p.File, p.Line = c.src.file, c.src.at(path)
	}
	*c.found = append(*c.found, p)
}

// check returns every mistake in the values of the objects and between them.
func (w *Workloads) check() mistake.Mistakes {
	var found mistake.Mistakes
	seen := map[ObjectID]bool{}
	at := func(kind string, m *metav1.ObjectMeta) *checker {
		id := ObjectID{kind, keyOf(m)}
		c := &checker{id, w.where[id], &found}
		if seen[id] {
			c.add("metadata.name", "is declared twice; keep one")
		}
		seen[id] = true
		// The names become parts of file names and must not lead out of the state folder.
		if why := validation.IsDNS1123Subdomain(m.Name); len(why) > 0 {
			c.add("metadata.name", "%q: %s", m.Name, strings.Join(why, "; "))
		}
		if why := validation.IsDNS1123Label(keyOf(m).Namespace); len(why) > 0 {
			c.add("metadata.namespace", "%q: %s", m.Namespace, strings.Join(why, "; "))
		}
		return c
	}
	for i := range w.Deployments {
		at(KindDeployment, &w.Deployments[i].ObjectMeta).deployment(&w.Deployments[i])
	}
	for i := range w.Services {
		at(KindService, &w.Services[i].ObjectMeta).service(&w.Services[i], w.Deployments)
	}
	for i := range w.Routes {
		at(KindRoute, &w.Routes[i].ObjectMeta).route(&w.Routes[i], w)
	}
	for i := range w.Workflows {
		at(KindWorkflow, &w.Workflows[i].ObjectMeta).workflow(&w.Workflows[i])
	}
	for i := range w.CronJobs {
		at(KindCronJob, &w.CronJobs[i].ObjectMeta).cronJob(&w.CronJobs[i])
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
	if _, err := limitsOf(d); err != nil {
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

// placement checks a node selector and an affinity.
func (c *checker) placement(at string, nodeSelector map[string]string, affinity *corev1.Affinity) {
	for k := range nodeSelector {
		if k != corev1.LabelHostname {
			c.add(at+"nodeSelector."+k, "the local nodes have no such label; only %s can be selected", corev1.LabelHostname)
		}
	}
	for field, anti := range map[string]bool{"podAntiAffinity": true, "podAffinity": false} {
		for i, term := range requiredTerms(affinity, anti) {
			c.term(fmt.Sprintf(at+"affinity.%s.requiredDuringSchedulingIgnoredDuringExecution[%d].", field, i), &term)
		}
		for i, w := range preferredTerms(affinity, anti) {
			at := fmt.Sprintf(at+"affinity.%s.preferredDuringSchedulingIgnoredDuringExecution[%d].", field, i)
			c.term(at+"podAffinityTerm.", &w.PodAffinityTerm)
			if w.Weight < 1 || w.Weight > preferredWeight {
				c.add(at+"weight", "%d is outside 1 to %d", w.Weight, preferredWeight)
			}
		}
	}
}

// term checks a term of affinity or anti-affinity.
func (c *checker) term(at string, term *corev1.PodAffinityTerm) {
	if term.TopologyKey != corev1.LabelHostname {
		c.add(at+"topologyKey", "%q can't be honoured; only %s can", term.TopologyKey, corev1.LabelHostname)
	}
	if _, err := metav1.LabelSelectorAsSelector(term.LabelSelector); err != nil {
		c.add(at+"labelSelector", "%v", err)
	}
}

// limits checks the resource limits of a container.
func (c *checker) limits(at string, of *corev1.Container) {
	for _, p := range pod.CheckLimits(of) {
		c.add(at+"."+p.Path, "%s", p.Message)
	}
}
