package kubernetes

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Need is something that a verb, a fleet or a sensor must be allowed, in the terms
// of an RBAC rule.
type Need struct {
	Group     string // "" is the core group
	Resource  string // plural, with the subresource: "deployments/scale"
	Verbs     []string
	Namespace string // "" is every namespace
}

// Subject is what an agent acts upon: the kind of its targets, and where they are.
type Subject struct {
	APIVersion, Kind string
	Namespace        string // "" is every namespace
}

// Group is the API group of the subject's kind.
func (s Subject) Group() string {
	group, _, found := strings.Cut(s.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

// Resource is the plural that the kind most likely has: what is needed must be told
// without a cluster to ask.
func (s Subject) Resource() string { return plural(s.APIVersion, s.Kind) }

func plural(apiVersion, kind string) string {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return strings.ToLower(kind) + "s"
	}
	many, _ := meta.UnsafeGuessKindToResource(gv.WithKind(kind))
	return many.Resource
}

// needs is one Need on the subject's own kind.
func (s Subject) needs(subresource string, verbs ...string) Need {
	return Need{Group: s.Group(), Resource: s.Resource() + subresource, Verbs: verbs, Namespace: s.Namespace}
}

// ScaleNeeds are those of `scale`: the plan comes from the informer; a write that collides reads again.
func ScaleNeeds(s Subject, _ map[string]any) []Need {
	return append([]Need{s.needs("/scale", "get", "patch")}, autoscalerReads(s.Namespace)...)
}

// RestartNeeds are those of `restart`.
func RestartNeeds(s Subject, _ map[string]any) []Need { return []Need{s.needs("", "get", "patch")} }

// autoscalerReads are those by which an autoscaler that owns the replicas is known.
func autoscalerReads(namespace string) []Need {
	read := []string{"get", "list", "watch"}[:3:3]
	return []Need{
		{Group: "autoscaling", Resource: "horizontalpodautoscalers", Verbs: read, Namespace: namespace},
		{Group: "keda.sh", Resource: "scaledobjects", Verbs: read, Namespace: namespace},
	}
}

// TrafficNeeds are those of `traffic`: which kind of route a policy names is not
// known before it does.
func TrafficNeeds(s Subject, _ map[string]any) []Need {
	var out []Need
	kinds := splitters()
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		route := Subject{APIVersion: kinds[kind].apiVersions[0], Kind: kind, Namespace: s.Namespace}
		out = append(out, route.needs("", "get", "patch"))
	}
	return out
}

// AutoscalerNeeds are those of `autoscaler`, which may make one: to make an object by
// server-side apply takes create and patch.
func AutoscalerNeeds(s Subject, _ map[string]any) []Need {
	out := autoscalerReads(s.Namespace)
	for i := range out {
		out[i].Verbs = append(out[i].Verbs, "create", "patch")
	}
	return out
}

// AnnotateNeeds are those of `annotate`.
func AnnotateNeeds(s Subject, _ map[string]any) []Need { return []Need{s.needs("", "get", "patch")} }
