package agentcheck

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// boundBy is an agent as guards see it.
func boundBy(a *manifest.Agent) policy.Bound {
	return policy.Bound{Agent: a.Info().String(), Verbs: append([]string{}, a.Spec.Primitives...)}
}

// verifyGuards lists what is wrong with guards: verbs and parameters that do not exist, and
// parts of the input that the documents of the agents that they bind do not have.
func verifyGuards(agents []*manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	all := unknownScopeVerbs(rev)
	all = append(all, unknownClampedParams(rev)...)
	var order [][]*manifest.Agent // the agents that some guards bind
	guards := map[string][]string{}
	key := func(agents []*manifest.Agent) string { return fmt.Sprint(agents) } // of pointers
	for _, guard := range rev.Guards() {
		var bound []*manifest.Agent
		for _, a := range agents {
			if slices.Contains(rev.GuardsFor(boundBy(a)), guard) {
				bound = append(bound, a)
			}
		}
		if len(bound) == 0 {
			continue
		}
		if guards[key(bound)] == nil {
			order = append(order, bound)
		}
		guards[key(bound)] = append(guards[key(bound)], guard)
	}
	for _, bound := range order {
		of := "of all the agents' documents"
		if len(bound) < len(agents) {
			of = "of the documents of the agents that it binds"
		}
		for _, m := range rev.CheckGuards(manifest.GuardSchema(bound), guards[key(bound)]) {
			if m.Context = of; !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// unknownScopeVerbs lists the verbs in the METADATA of guards that nobody offers.
func unknownScopeVerbs(rev *policy.Revision) mistake.Mistakes {
	verbs := slices.Sorted(maps.Keys(agentspec.Kinds().Verbs))
	_, named := rev.ScopeNames()
	var out mistake.Mistakes
	for _, n := range named {
		if !slices.Contains(verbs, n.Name) {
			out = append(out, mistake.Mistake{File: n.File, Line: n.Line, Column: n.Column, Message: fmt.Sprintf("METADATA of guard %s names verb %q, and there is no such verb", n.Guard, n.Name), Fix: meant(n.Name, verbs)})
		}
	}
	return out
}

// unknownClampedParams lists the parameters that guards clamp and that their verbs do not
// have: each such proposal would be denied.
func unknownClampedParams(rev *policy.Revision) mistake.Mistakes {
	kinds := agentspec.Kinds().Verbs
	var out mistake.Mistakes
	for _, c := range rev.ClampedParams() {
		verbs := slices.DeleteFunc(slices.Clone(c.Verbs), func(verb string) bool { return kinds[verb] == nil })
		of := strings.Join(verbs, ", ")
		if c.Verbs == nil {
			verbs, of = slices.Sorted(maps.Keys(kinds)), "any verb"
		}
		var params []string
		for _, verb := range verbs {
			params = append(params, paramsOf(kinds[verb]())...)
		}
		slices.Sort(params)
		if params = slices.Compact(params); len(params) > 0 && !slices.Contains(params, c.Param) {
			out = append(out, mistake.Mistake{File: c.File, Line: c.Line, Column: c.Column, Message: fmt.Sprintf("guard %s clamps %q, which is no parameter of %s", c.Guard, c.Param, of), Fix: meant(c.Param, params)})
		}
	}
	return out
}

// paramsOf lists the parameters of a verb.
func paramsOf(raw any) []string {
	var out []string
	for _, field := range reflect.VisibleFields(reflect.Indirect(reflect.ValueOf(raw)).Type()) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			out = append(out, name)
		}
	}
	return out
}

// unknownScopeAgents warns of agents in the METADATA of guards that are not among those
// checked.
func unknownScopeAgents(agents []*manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	if len(agents) == 0 {
		return nil
	}
	var names []string
	for _, a := range agents {
		names = append(names, a.Info().String(), a.Metadata.Name)
	}
	named, _ := rev.ScopeNames()
	var out mistake.Mistakes
	for _, n := range named {
		matches := func(a *manifest.Agent) bool { return policy.MatchesAgent(n.Name, a.Info().String()) }
		if !slices.ContainsFunc(agents, matches) {
			out = append(out, mistake.Mistake{File: n.File, Line: n.Line, Column: n.Column, Message: fmt.Sprintf("METADATA of guard %s names agent %q, and none of the agents here is called so", n.Guard, n.Name), Fix: meant(n.Name, names)})
		}
	}
	return out
}

// meant suggests the name that was meant, or lists them.
func meant(name string, known []string) string {
	if near := spelling.Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	known = slices.Clone(known)
	slices.Sort(known)
	return "there are " + strings.Join(slices.Compact(known), ", ")
}
