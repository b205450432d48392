package rbac

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Options say for whom the roles are. The zero value of each takes its default.
type Options struct {
	// Namespace is where the process itself runs, with its Lease and its ledgers;
	// "scanflow".
	Namespace string
	// Name is that of everything that is made; "scanflow".
	Name string
	// Account is a service account in Namespace that is there already; "" makes one
	// of the name Name.
	Account string
	// Plurals corrects what a kind's resources are called: "Kind.group" (or "Kind" of
	// the core group) to the plural.
	Plurals map[string]string
	// Apply are the kinds ("Kind.group", or "Kind" of the core group) that the verb
	// `apply` may write: which ones a policy names, a manifest doesn't tell.
	Apply []string
}

func (o Options) withDefaults() (Options, error) {
	o.Namespace, o.Name = cmp.Or(o.Namespace, "scanflow"), cmp.Or(o.Name, "scanflow")
	var errs []error
	check := func(what, name string, why []string) {
		if len(why) > 0 {
			errs = append(errs, fmt.Errorf("%s: %q is no name that Kubernetes takes: %s", what, name, strings.Join(why, "; ")))
		}
	}
	check("namespace", o.Namespace, validation.IsDNS1123Label(o.Namespace))
	check("name", o.Name, validation.IsDNS1123Subdomain(o.Name))
	if o.Account != "" {
		check("service account", o.Account, validation.IsDNS1123Subdomain(o.Account))
	}
	for kind, plural := range o.Plurals {
		check("resource of "+kind, plural, validation.IsDNS1123Label(plural))
	}
	return o, errors.Join(errs...)
}

// Plan is what some agents, and the process that runs them, must be allowed.
type Plan struct {
	// Watch is the namespace to start the process with (--namespace): the only one
	// that it looks into, or "" where that is not enough.
	Watch string
	// Cluster are the rules for the whole cluster; most plans have none.
	Cluster []Rule

	options Options
	agents  []string
	applies bool // some agent has the verb `apply`
	needs   []need
}

// InNamespace is the rules for one namespace.
type InNamespace struct {
	Namespace string `json:"namespace"`
	Rules     []Rule `json:"rules"`
}

// For plans for agents that come from manifest.Read. The error says which of the
// options can't be.
func For(agents []*manifest.Agent, o Options) (*Plan, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Plan{options: o}
	for _, a := range agents {
		p.agents = append(p.agents, a.Info().String())
		p.needs = append(p.needs, ofAgent(a, o.Apply)...)
		p.applies = p.applies || slices.Contains(a.Spec.Primitives, applyVerb)
	}
	if len(o.Apply) > 0 && len(agents) > 0 && !p.applies {
		return nil, fmt.Errorf("kinds to apply: none of the agents has the primitive %s", applyVerb)
	}
	for i := range p.needs {
		p.needs[i].correct(o.Plurals)
	}
	p.Watch = oneNamespace(agents, p.needs)
	for _, a := range agents {
		p.needs = append(p.needs, ofResource(a, p.Watch)...)
	}
	p.Cluster = rulesOf(p.needs)[""]
	return p, nil
}

// Roles are the rules by namespace, sorted: those for the agents, and those that the
// process needs where it runs unless the caller grants these in another way.
func (p *Plan) Roles(withOwn bool) []InNamespace {
	needs := slices.Clone(p.needs)
	if withOwn {
		needs = append(needs, ofProcess(p.options.Namespace)...)
	}
	var out []InNamespace
	for namespace, rules := range rulesOf(needs) {
		if namespace != "" && len(rules) > 0 {
			out = append(out, InNamespace{namespace, rules})
		}
	}
	slices.SortFunc(out, func(a, b InNamespace) int { return strings.Compare(a.Namespace, b.Namespace) })
	return out
}

// oneNamespace is the namespace that holds all agents and all that they need; "" if
// there is no such one.
func oneNamespace(agents []*manifest.Agent, needs []need) string {
	all := map[string]bool{}
	for _, a := range agents {
		all[a.Metadata.Namespace] = true
	}
	for _, n := range needs {
		if !n.anywhere {
			all[n.Namespace] = true
		}
	}
	if len(all) != 1 {
		return ""
	}
	for namespace := range all {
		return namespace
	}
	return ""
}
