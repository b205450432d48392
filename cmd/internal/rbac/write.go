package rbac

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const apiVersion = "rbac.authorization.k8s.io/v1"

// YAML is the plan as objects for kubectl apply. Comments say what each rule is for.
func (p *Plan) YAML() []byte {
	w := &writer{}
	o := p.options
	w.head(p)
	account := cmp.Or(o.Account, o.Name)
	if o.Account == "" {
		w.object("v1", "ServiceAccount", o.Name, o.Namespace)
	}
	bind := func(kind, name, namespace string, rules []Rule) {
		w.object(apiVersion, kind, name, namespace)
		w.line("rules:")
		w.rules(rules, "  ")
		w.object(apiVersion, kind+"Binding", name, namespace)
		w.line("roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %s}", kind, yamlString(name))
		w.line("subjects:")
		w.line("  - {kind: ServiceAccount, name: %s, namespace: %s}", yamlString(account), yamlString(o.Namespace))
	}
	for _, r := range p.Roles(true) {
		bind("Role", o.Name, r.Namespace, r.Rules)
	}
	if len(p.Cluster) > 0 {
		bind("ClusterRole", o.Namespace+"-"+o.Name, "", p.Cluster) // ClusterRoles of installs in other namespaces may have the same name
	}
	return w.out.Bytes()
}

// Values is the plan as values of the Helm chart. The chart itself has the service account
// and what the process needs.
func (p *Plan) Values() []byte {
	w := &writer{}
	w.head(p)
	w.line("watchNamespace: %s", yamlString(p.Watch))
	w.line("rbac:")
	roles := p.Roles(false)
	if len(roles) == 0 {
		w.line("  roles: []")
	} else {
		w.line("  roles:")
	}
	for _, r := range roles {
		w.line("    - namespace: %s", yamlString(r.Namespace))
		w.line("      rules:")
		w.rules(r.Rules, "        ")
	}
	if len(p.Cluster) == 0 {
		w.line("  clusterRules: []")
	} else {
		w.line("  clusterRules:")
		w.rules(p.Cluster, "    ")
	}
	return w.out.Bytes()
}

type writer struct {
	out     bytes.Buffer
	objects int
}

func (w *writer) line(format string, args ...any) { _, _ = fmt.Fprintf(&w.out, format+"\n", args...) }

func (w *writer) head(p *Plan) {
	agents := slices.Sorted(slices.Values(p.agents))
	w.line("# What these agents need, and no more, as `scanflow rbac` says: %s.", strings.Join(agents, ", "))
	w.line("# Print it anew when an agent changes.")
	if p.applies && len(p.options.Apply) == 0 {
		w.line("# Of the primitive apply nothing is in it: name the kinds with --apply Kind.group.")
	}
	if p.Watch != "" {
		w.line("# The process that has no more than this is to be started with --namespace %s.", p.Watch)
	}
}

func (w *writer) object(apiVersion, kind, name, namespace string) {
	if w.objects++; w.objects > 1 {
		w.line("---")
	}
	w.line("apiVersion: %s", apiVersion)
	w.line("kind: %s", kind)
	if namespace == "" {
		w.line("metadata: {name: %s}", yamlString(name))
		return
	}
	w.line("metadata: {name: %s, namespace: %s}", yamlString(name), yamlString(namespace))
}

func (w *writer) rules(rules []Rule, indent string) {
	for _, r := range rules {
		for _, why := range r.For {
			w.line("%s# %s", indent, why)
		}
		w.line("%s- apiGroups: %s", indent, yamlList(r.Groups))
		w.line("%s  resources: %s", indent, yamlList(r.Resources))
		if len(r.Names) > 0 {
			w.line("%s  resourceNames: %s", indent, yamlList(r.Names))
		}
		w.line("%s  verbs: %s", indent, yamlList(r.Verbs))
	}
}

func yamlList(items []string) string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = yamlString(item)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// yamlString quotes a string if YAML would parse it as another type.
func yamlString(s string) string {
	out, err := yaml.Marshal(s)
	if err != nil {
		return fmt.Sprintf("%q", s)
	}
	return strings.TrimSpace(string(out))
}
