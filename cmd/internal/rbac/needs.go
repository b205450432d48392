package rbac

import (
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// need is a permission, and what it is for.
type need struct {
	kubernetes.Need
	name          string // of one object; "" is all objects
	writer        string // the verb that may write no protected kind; "" may
	clusterScoped bool   // it lies in no namespace, and an install in one namespace does without it
	why           string
}

// applyVerb writes objects of any kind, and annotateVerb the targets.
const (
	applyVerb    = "apply"
	annotateVerb = "annotate"
)

var informerVerbs = []string{"list", "watch"}

// agentNeeds returns what an agent's targets, sensors, triggers, secrets and primitives need.
func agentNeeds(a *manifest.Agent, apply []string) []need {
	c := collector{agent: a.Info().String()}
	subjects := subjectsOf(a)
	if selector, selected := a.Selector(); selected {
		c.targets(subjects[0])
		c.sensors(a, []string{selector.Namespace}, subjects[0])
	} else {
		var namespaces []string
		for _, s := range subjects {
			namespaces = append(namespaces, s.Namespace)
		}
		if len(namespaces) > 1 { // a sensor reads once for the whole fleet
			namespaces = []string{""}
		}
		c.sensors(a, namespaces, kubernetes.Subject{})
	}
	c.triggers(a)
	c.secrets(a)
	for _, verb := range a.Spec.Primitives {
		c.verb(verb, subjects)
		if verb == applyVerb {
			c.apply(apply, subjects)
		}
	}
	return c.needs
}

// subjectsOf returns what the agent acts on: one kind, or targets without a kind in some
// namespaces.
func subjectsOf(a *manifest.Agent) []kubernetes.Subject {
	if s, selected := a.Selector(); selected {
		return []kubernetes.Subject{subject(s)}
	}
	var out []kubernetes.Subject
	for _, t := range a.Spec.Targets.Static {
		s := kubernetes.Subject{Namespace: t.Namespace}
		if s.Namespace == "" {
			s.Namespace = a.Metadata.Namespace
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func subject(s engine.Selector) kubernetes.Subject {
	return kubernetes.Subject{APIVersion: s.APIVersion, Kind: s.Kind, Namespace: s.Namespace, Pods: s.Pods}
}

type collector struct {
	agent string
	needs []need
}

func (c *collector) add(n need, why string) {
	n.why = c.agent + ": " + why
	c.needs = append(c.needs, n)
}

// informer adds what an informer for a kind needs.
func (c *collector) informer(s kubernetes.Subject, name, why string) {
	if slices.Contains(clusterWide, groupKind(s)) {
		s.Namespace = ""
	}
	c.add(need{Need: kubernetes.Need{Group: s.Group(), Resource: s.Resource(), Verbs: informerVerbs, Namespace: s.Namespace}, name: name}, why)
}

func (c *collector) targets(s kubernetes.Subject) {
	c.informer(s, "", "targets")
	c.add(need{Need: kubernetes.Need{Resource: "events", Verbs: []string{"create"}, Namespace: s.Namespace}}, "events on targets")
	custom := strings.Contains(s.Group(), ".")
	if custom || slices.Contains(podOwners, groupKind(s)) {
		c.pods(s.Namespace, "pods of targets")
	}
	if custom { // the definition has the path of the replicas
		n := kubernetes.Need{Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Verbs: []string{"get"}}
		c.add(need{Need: n, name: s.Resource() + "." + s.Group(), clusterScoped: true}, "definition of "+s.Kind)
	}
}

func (c *collector) pods(namespace, why string) {
	c.add(need{Need: kubernetes.Need{Resource: "pods", Verbs: informerVerbs, Namespace: namespace}}, why)
}

func (c *collector) sensors(a *manifest.Agent, namespaces []string, targets kubernetes.Subject) {
	for _, s := range a.Spec.Sensors {
		for _, namespace := range namespaces {
			switch config := s.Config.(type) {
			case *sensors.ObjectConfig:
				c.informer(kubernetes.Subject{APIVersion: config.APIVersion, Kind: config.Kind, Namespace: namespace}, "", "sensor "+s.Name)
			case *sensors.WorkloadConfig:
				if targets.Kind != "" { // a target of a static list has no pods
					c.pods(namespace, "sensor "+s.Name)
				}
			case *sensors.ColocatedConfig:
				if targets.Kind == "" {
					continue
				}
				c.pods(namespace, "sensor "+s.Name)
				for _, other := range config.Namespaces {
					c.pods(other, "sensor "+s.Name)
				}
			case *sensors.ScrapeConfig:
				if config.Port != "" && targets.Kind != "" {
					c.pods(namespace, "sensor "+s.Name)
				}
			}
		}
	}
}

func (c *collector) triggers(a *manifest.Agent) {
	spec, err := a.EngineSpec()
	if err != nil {
		return // manifest.Read would have refused it
	}
	for _, t := range spec.Triggers {
		if t.Watch != nil {
			c.informer(subject(t.Watch.Selector), t.Watch.Name, "trigger "+t.Name)
		}
	}
}

// secrets adds the Secrets that the manifest refers to.
func (c *collector) secrets(a *manifest.Agent) {
	for _, use := range a.SecretUses() {
		why := "credentials"
		if use.Sensor >= 0 {
			why = "sensor " + a.Spec.Sensors[use.Sensor].Name
		}
		c.add(need{Need: kubernetes.Need{Resource: "secrets", Verbs: []string{"get"}, Namespace: a.Metadata.Namespace}, name: use.Ref.Name}, why)
	}
}

// verb adds what a primitive needs with any parameters.
func (c *collector) verb(name string, subjects []kubernetes.Subject) {
	needs := actuators.Verbs[name].Needs
	if needs == nil {
		return
	}
	for _, s := range subjects {
		for _, n := range needs(s, nil) {
			if base, _, _ := strings.Cut(n.Resource, "/"); base == "" {
				continue // for the kind of targets without a kind
			}
			c.add(need{Need: n, writer: writerOf(name)}, name)
		}
	}
}

// writerOf returns a verb that policies choose the fields for.
func writerOf(verb string) string {
	if verb == annotateVerb {
		return verb
	}
	return ""
}

// apply adds what server-side apply of some kinds needs.
func (c *collector) apply(kinds []string, subjects []kubernetes.Subject) {
	for _, name := range kinds {
		for _, s := range subjects {
			o := parseKind(name)
			c.add(need{Need: kubernetes.Need{Group: o.Group(), Resource: o.Resource(), Verbs: []string{"get", "create", "patch"}, Namespace: s.Namespace}, writer: applyVerb}, applyVerb)
		}
	}
}
