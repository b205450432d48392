package kubernetes

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Need is a permission that a verb, a fleet or a sensor requires, in the terms of an RBAC rule.
type Need struct {
	Group     string // "" is the core group
	Resource  string // plural, with the subresource: "deployments/scale"
	Verbs     []string
	Namespace string // "" is every namespace
}

// Subject identifies the objects that an agent acts on.
type Subject struct {
	APIVersion, Kind string
	Namespace        string // "" is every namespace
	Pods             bool   // the agent's documents have the pods (spec.targets.pods)
}

func (s Subject) Group() string {
	group, _, found := strings.Cut(s.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

// Resource guesses the plural of the kind, since needs are computed without a cluster.
func (s Subject) Resource() string { return plural(s.APIVersion, s.Kind) }

func plural(apiVersion, kind string) string {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return strings.ToLower(kind) + "s"
	}
	many, _ := meta.UnsafeGuessKindToResource(gv.WithKind(kind))
	return many.Resource
}

// needs returns a Need on the subject's own kind.
func (s Subject) needs(subresource string, verbs ...string) Need {
	return Need{Group: s.Group(), Resource: s.Resource() + subresource, Verbs: verbs, Namespace: s.Namespace}
}

// ScaleNeeds are those of `scale`, which plans on the View and reads on a conflict. A kind
// without a scale subresource needs none, since the verb is refused.
func ScaleNeeds(s Subject, _ map[string]any) []Need {
	switch {
	case isInferenceService(s.APIVersion, s.Kind):
		return []Need{s.needs("", "get", "patch")}
	case s.Kind != "" && !s.hasScale():
		return nil
	}
	return append([]Need{s.needs("/scale", "get", "patch"), eventReads(s.Namespace)}, autoscalerReads(s.Namespace)...)
}

// RestartNeeds are those of `restart`. Only an agent whose documents have the pods can restart
// one of them, which is an eviction.
func RestartNeeds(s Subject, _ map[string]any) []Need {
	out := []Need{s.needs("", "get", "patch"), eventReads(s.Namespace)}
	if s.Pods {
		out = append(out, Need{Resource: "pods/eviction", Verbs: []string{"create"}, Namespace: s.Namespace})
	}
	return out
}

// eventReads is that to say why pods can't be made where no condition does. A verb does its
// work without it.
func eventReads(namespace string) Need {
	return Need{Resource: "events", Verbs: []string{"list"}, Namespace: namespace}
}

// autoscalerReads are those to find the autoscaler that owns the replicas.
func autoscalerReads(namespace string) []Need {
	read := []string{"get", "list", "watch"}[:3:3]
	return []Need{
		{Group: "autoscaling", Resource: horizontalPodAutoscalers, Verbs: read, Namespace: namespace},
		{Group: "keda.sh", Resource: scaledObjects, Verbs: read, Namespace: namespace},
	}
}

// TrafficNeeds are those of `traffic`, for every kind of route, since policies choose it.
func TrafficNeeds(s Subject, _ map[string]any) []Need {
	var out []Need
	kinds := trafficKinds()
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		route := Subject{APIVersion: kinds[kind].apiVersions[0], Kind: kind, Namespace: s.Namespace}
		out = append(out, route.needs("", "get", "patch"))
	}
	return out
}

// AutoscalerNeeds are those of `autoscaler`. Creating an object by server-side apply requires
// create and patch.
func AutoscalerNeeds(s Subject, _ map[string]any) []Need {
	if isInferenceService(s.APIVersion, s.Kind) {
		return append([]Need{s.needs("", "get", "patch")}, inferenceReads(s, horizontalPodAutoscalers, scaledObjects)...)
	}
	out := autoscalerReads(s.Namespace)
	for i := range out {
		out[i].Verbs = append(out[i].Verbs, "create", "patch")
	}
	return out
}

func AnnotateNeeds(s Subject, _ map[string]any) []Need { return []Need{s.needs("", "get", "patch")} }
