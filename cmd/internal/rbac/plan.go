package rbac

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/shard"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Options configure a plan. The zero value of each field stands for its default.
type Options struct {
	// Namespace is the namespace of the process, its Lease and its ledgers. Default:
	// "scanflow".
	Namespace string
	// Name is the name of all objects in the plan. Default: "scanflow".
	Name string
	// Account is an existing service account in Namespace. By default the plan has one
	// with the name Name.
	Account string
	// Install is the value for --install of the process, which its Leases are named by.
	// Default: "scanflow".
	Install string
	// Shards is the number of parts that share the targets out. Default: 1.
	Shards int
	// Plurals maps "Kind.group" (or "Kind" of the core group) to the plural, where the
	// guess is wrong.
	Plurals map[string]string
	// Apply are the kinds ("Kind.group", or "Kind" of the core group) that the verb
	// `apply` may write. A manifest does not have them: policies choose the objects.
	Apply []string
}

func (o Options) withDefaults() (Options, error) {
	o.Namespace, o.Name, o.Install = cmp.Or(o.Namespace, "scanflow"), cmp.Or(o.Name, "scanflow"), cmp.Or(o.Install, "scanflow")
	var errs []error
	check := func(what, name string, why []string) {
		if len(why) > 0 {
			errs = append(errs, fmt.Errorf("%s: %q is no name that Kubernetes takes: %s", what, name, strings.Join(why, "; ")))
		}
	}
	check("namespace", o.Namespace, validation.IsDNS1123Label(o.Namespace))
	check("name", o.Name, validation.IsDNS1123Subdomain(o.Name))
	check("installation", o.Install, validation.IsDNS1123Subdomain(o.Install))
	if o.Shards < 0 {
		errs = append(errs, fmt.Errorf("shards: %d is no number of parts; write 1 or more", o.Shards))
	}
	if o.Account != "" {
		check("service account", o.Account, validation.IsDNS1123Subdomain(o.Account))
	}
	for kind, plural := range o.Plurals {
		check("resource of "+kind, plural, validation.IsDNS1123Label(plural))
	}
	for _, kind := range o.Apply {
		errs = append(errs, checkApplied(kind))
	}
	return o, errors.Join(errs...)
}

// Plan has the permissions that some agents, and the process that runs them, need.
type Plan struct {
	// Watch is the value for --namespace of the process: the only namespace that it
	// needs to read, or "" for all.
	Watch string
	// Cluster are the rules for the whole cluster; most plans have none.
	Cluster []Rule

	options Options
	agents  []string
	applies bool // some agent has the verb `apply`
	needs   []need
}

// NamespaceRules are the rules for one namespace.
type NamespaceRules struct {
	Namespace string `json:"namespace"`
	Rules     []Rule `json:"rules"`
}

// NewPlan makes a plan for agents that come from manifest.Read. The error names the invalid
// options.
func NewPlan(agents []*manifest.Agent, o Options) (*Plan, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Plan{options: o}
	for _, a := range agents {
		p.agents = append(p.agents, a.Info().String())
		p.needs = append(p.needs, agentNeeds(a, o.Apply)...)
		p.applies = p.applies || slices.Contains(a.Spec.Primitives, applyVerb)
	}
	if len(o.Apply) > 0 && len(agents) > 0 && !p.applies {
		return nil, fmt.Errorf("kinds to apply: none of the agents has the primitive %s", applyVerb)
	}
	var errs []error
	for i := range p.needs {
		p.needs[i].correctPlural(o.Plurals)
		errs = append(errs, p.needs[i].checkProtected())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.Watch = singleNamespace(agents, p.needs)
	for _, a := range agents {
		p.needs = append(p.needs, resourceNeeds(a, p.Watch)...)
	}
	p.Cluster = rulesOf(p.needs)[""]
	return p, nil
}

// Roles returns the rules by namespace, sorted. withOwn includes what the process needs in its
// own namespace.
func (p *Plan) Roles(withOwn bool) []NamespaceRules {
	needs := slices.Clone(p.needs)
	if withOwn {
		needs = append(needs, processNeeds(p.options.Namespace, shard.Shard{Of: p.options.Shards}.Names(p.options.Install))...)
	}
	var out []NamespaceRules
	for namespace, rules := range rulesOf(needs) {
		if namespace != "" && len(rules) > 0 {
			out = append(out, NamespaceRules{namespace, rules})
		}
	}
	slices.SortFunc(out, func(a, b NamespaceRules) int { return strings.Compare(a.Namespace, b.Namespace) })
	return out
}

// singleNamespace is the namespace of all agents and all needs; "" if there are several.
func singleNamespace(agents []*manifest.Agent, needs []need) string {
	all := map[string]bool{}
	for _, a := range agents {
		all[a.Metadata.Namespace] = true
	}
	for _, n := range needs {
		if !n.clusterScoped {
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
