package kubernetes

import "slices"

// PlaceNeeds are those of `place`; with move, those to find the runs and their pods and to
// evict them as well.
func PlaceNeeds(s Subject, with map[string]any) []Need {
	argo := func(resource string, verbs ...string) Need {
		return Need{Group: argoGroup, Resource: resource, Verbs: verbs, Namespace: s.Namespace}
	}
	target, template, one := s.needs("", "get", "patch"), argo("workflowtemplates", "get", "patch"), argo("workflows", "get", "patch")
	move := []Need{
		argo("workflows", "get", "list", "patch"), {Resource: "pods", Verbs: []string{"list"}, Namespace: s.Namespace},
		{Resource: "pods/eviction", Verbs: []string{"create"}, Namespace: s.Namespace},
	}
	switch {
	case len(with) == 0: // a policy's parameters are not known
		return slices.Concat([]Need{target, eventReads(s.Namespace), template}, move, inferenceReads(s, "deployments"))
	case with["move"] == true && with["workflow"] != nil:
		return append([]Need{one}, move[1:]...)
	case with["move"] == true:
		return append([]Need{template}, move...)
	case with["workflow"] != nil:
		return []Need{one}
	case with["template"] != nil:
		return []Need{template}
	}
	return append([]Need{target, eventReads(s.Namespace)}, inferenceReads(s, "deployments")...)
}

func ModelNeeds(s Subject, _ map[string]any) []Need {
	return append([]Need{s.needs("", "get", "patch"), eventReads(s.Namespace)}, inferenceReads(s, "deployments", "httproutes")...)
}

// WorkflowNeeds are those of `workflow.run`, which reads the template and creates and follows
// the run.
func WorkflowNeeds(s Subject, with map[string]any) []Need {
	argo := []Need{
		{Group: argoGroup, Resource: "workflowtemplates", Verbs: []string{"get"}, Namespace: s.Namespace},
		{Group: argoGroup, Resource: "workflows", Verbs: []string{"create", "get"}, Namespace: s.Namespace},
	}
	jobs := []Need{
		{Group: "batch", Resource: "cronjobs", Verbs: []string{"get"}, Namespace: s.Namespace},
		{Group: "batch", Resource: "jobs", Verbs: []string{"create", "get"}, Namespace: s.Namespace},
	}
	switch {
	case len(with) == 0: // a policy's parameters are not known
		return append(argo, jobs...)
	case with["kind"] == "CronJob":
		return jobs
	}
	return argo
}
