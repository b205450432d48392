package rbac

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// need is one thing to be allowed, and what for.
type need struct {
	kubernetes.Need
	name     string // of the only object; "" is all
	anywhere bool   // it lies in no namespace, and an install in one namespace does without it
	why      string
}

// group is that of our own custom resources.
const (
	group   = "scanflow.dev"
	ledgers = "ledgers"
)

var (
	follow = []string{"list", "watch"}
	// podOwners are the kinds of the API server whose pods are looked for; those of
	// custom resources may all have some.
	podOwners = []schema.GroupKind{
		{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"}, {Group: "apps", Kind: "ReplicaSet"},
		{Group: "apps", Kind: "DaemonSet"}, {Group: "batch", Kind: "Job"}, {Kind: "ReplicationController"},
	}
	// clusterWide are the kinds of the API server that lie in no namespace, of those
	// that an agent may well look at.
	clusterWide = []schema.GroupKind{
		{Kind: "Node"}, {Kind: "Namespace"}, {Kind: "PersistentVolume"},
		{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}, {Group: "storage.k8s.io", Kind: "StorageClass"},
		{Group: "node.k8s.io", Kind: "RuntimeClass"}, {Group: "scheduling.k8s.io", Kind: "PriorityClass"},
	}
)

// ofAgent is what an agent's targets, sensors, triggers and primitives need.
func ofAgent(a *manifest.Agent) []need {
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
		if len(namespaces) > 1 { // a sensor looks once for the whole fleet
			namespaces = []string{""}
		}
		c.sensors(a, namespaces, kubernetes.Subject{})
	}
	c.triggers(a)
	for _, verb := range a.Spec.Primitives {
		c.verb(verb, subjects)
	}
	return c.needs
}

// subjectsOf is what the agent acts upon: one kind, or targets without a kind in some
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
	return kubernetes.Subject{APIVersion: s.APIVersion, Kind: s.Kind, Namespace: s.Namespace}
}

type collector struct {
	agent string
	needs []need
}

func (c *collector) add(n need, why string) {
	n.why = c.agent + ": " + why
	c.needs = append(c.needs, n)
}

// follow adds what an informer of a kind needs.
func (c *collector) follow(s kubernetes.Subject, name, why string) {
	if slices.Contains(clusterWide, groupKind(s)) {
		s.Namespace = ""
	}
	c.add(need{Need: kubernetes.Need{Group: s.Group(), Resource: s.Resource(), Verbs: follow, Namespace: s.Namespace}, name: name}, why)
}

func groupKind(s kubernetes.Subject) schema.GroupKind {
	return schema.GroupKind{Group: s.Group(), Kind: s.Kind}
}

func (c *collector) targets(s kubernetes.Subject) {
	c.follow(s, "", "targets")
	c.add(need{Need: kubernetes.Need{Resource: "events", Verbs: []string{"create"}, Namespace: s.Namespace}}, "events on targets")
	custom := strings.Contains(s.Group(), ".")
	if custom || slices.Contains(podOwners, groupKind(s)) {
		c.pods(s.Namespace, "pods of targets")
	}
	if custom { // the definition says where the kind keeps its size
		n := kubernetes.Need{Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Verbs: []string{"get"}}
		c.add(need{Need: n, name: s.Resource() + "." + s.Group(), anywhere: true}, "definition of "+s.Kind)
	}
}

func (c *collector) pods(namespace, why string) {
	c.add(need{Need: kubernetes.Need{Resource: "pods", Verbs: follow, Namespace: namespace}}, why)
}

func (c *collector) sensors(a *manifest.Agent, namespaces []string, targets kubernetes.Subject) {
	for _, s := range a.Spec.Sensors {
		for _, namespace := range namespaces {
			switch config := s.Config.(type) {
			case *sensors.ObjectConfig:
				c.follow(kubernetes.Subject{APIVersion: config.APIVersion, Kind: config.Kind, Namespace: namespace}, "", "sensor "+s.Name)
			case *sensors.WorkloadConfig:
				if targets.Kind != "" { // a target of a plain list has no pods to know of
					c.pods(namespace, "sensor "+s.Name)
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
			c.follow(subject(t.Watch.Selector), t.Watch.Name, "trigger "+t.Name)
		}
	}
}

// verb adds what a primitive needs, whatever its parameters may be.
func (c *collector) verb(name string, subjects []kubernetes.Subject) {
	needs := actuators.Verbs[name].Needs
	if needs == nil {
		return
	}
	for _, s := range subjects {
		for _, n := range needs(s, nil) {
			if base, _, _ := strings.Cut(n.Resource, "/"); base == "" {
				continue // on the kind of targets that have none
			}
			c.add(need{Need: n}, name)
		}
	}
}

// correct replaces a plural that was guessed wrong.
func (n *need) correct(plurals map[string]string) {
	for name, plural := range plurals {
		kind, of, _ := strings.Cut(name, ".")
		guess := kubernetes.Subject{APIVersion: strings.TrimPrefix(of+"/v1", "/"), Kind: kind}.Resource()
		base, sub, isSub := strings.Cut(n.Resource, "/")
		switch {
		case n.Group == of && base == guess && isSub:
			n.Resource = plural + "/" + sub
		case n.Group == of && base == guess:
			n.Resource = plural
		case n.name == guess+"."+of && n.Resource == "customresourcedefinitions":
			n.name = plural + "." + of
		}
	}
}

// ofResource is what reading an agent as a custom resource, and saying how it fares,
// needs, where the process looks into one namespace or into all ("").
func ofResource(a *manifest.Agent, watch string) []need {
	return []need{
		{Need: kubernetes.Need{Group: group, Resource: manifest.Plural, Verbs: follow, Namespace: watch}, why: "the process: agents"},
		{Need: kubernetes.Need{Group: group, Resource: manifest.Plural + "/status", Verbs: []string{"patch"}, Namespace: a.Metadata.Namespace}, why: "the process: agents"},
	}
}

// ofProcess is what the process needs where it runs, whatever its agents are.
func ofProcess(namespace string) []need {
	return []need{
		{Need: kubernetes.Need{Group: "coordination.k8s.io", Resource: "leases", Verbs: []string{"get", "create", "update"}, Namespace: namespace}, why: "the process: leader election"},
		{Need: kubernetes.Need{Group: group, Resource: ledgers, Verbs: []string{"get", "list", "create", "update", "delete"}, Namespace: namespace}, why: "the process: what survives a pod"},
	}
}
