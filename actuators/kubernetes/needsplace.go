package kubernetes

// PlaceNeeds are those of `place`.
func PlaceNeeds(s Subject, with map[string]any) []Need {
	workflow := Need{Group: argoGroup, Resource: "workflows", Verbs: []string{"get", "patch"}, Namespace: s.Namespace}
	switch {
	case len(with) == 0: // what a policy will ask for is not known
		return []Need{s.needs("", "get", "patch"), workflow}
	case with["workflow"] != nil:
		return []Need{workflow}
	}
	return []Need{s.needs("", "get", "patch")}
}

// ModelNeeds are those of `model.serve`.
func ModelNeeds(s Subject, _ map[string]any) []Need { return []Need{s.needs("", "get", "patch")} }

// WorkflowNeeds are those of `workflow.run`: the template is read, the run is made,
// and followed.
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
	case len(with) == 0: // what a policy will ask for is not known
		return append(argo, jobs...)
	case with["kind"] == "CronJob":
		return jobs
	}
	return argo
}
