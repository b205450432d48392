package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine"
)

// validator checks what the types don't express. It skips values that the decoder could not
// decode.
type validator struct {
	*decoder
	agent *Agent
}

func (v *validator) validate() {
	meta, spec := v.root.field("metadata"), v.root.field("spec")
	v.dnsLabel(meta.field("name"), v.agent.Metadata.Name)
	v.dnsLabel(meta.field("namespace"), v.agent.Metadata.Namespace)
	v.targets(spec.field("targets"))
	v.triggers(spec.field("triggers"))
	v.sensors(spec.field("sensors"))
	v.strategies(spec.field("strategies"))
	v.primitives(spec.field("primitives"))
	v.params(spec.field("params"))
	v.guards(spec.field("guards"))
	v.retryFor(spec.field("retryFor"))
	v.priority(spec.field("priority"))
	v.ineffective(spec)
}

// has reports whether the manifest has the key, with any value.
func (v *validator) has(p *fieldPath) bool {
	_, _, there := p.find(v.tree)
	return there
}

// readable reports whether a value was decoded, or is absent.
func (v *validator) readable(p *fieldPath) bool { return !v.unread[p.String()] }

// written reports whether a value is there and was decoded.
func (v *validator) written(p *fieldPath) bool { return v.has(p) && v.readable(p) }

// presentKeys returns those of the choices that a mapping has. complete is false if it has an
// unknown key, which may be a misspelt choice.
func (v *validator) presentKeys(p *fieldPath, choices, others []string) (set []string, complete bool) {
	_, n, there := p.find(v.tree)
	if !there || !isMapping(n) {
		return nil, false
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	complete = true
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key := n.Content[i].Value; {
		case slices.Contains(choices, key):
			set = append(set, key)
		case !slices.Contains(others, key):
			complete = false
		}
	}
	slices.Sort(set)
	return slices.Compact(set), complete
}

const retryForFix = "leave it out for a day, or an interval"

func (v *validator) retryFor(p *fieldPath) {
	v.positive(p, v.agent.Spec.RetryFor, retryForFix)
	if v.written(p) && v.readable(v.root.field("spec").field("primitives")) && !slices.Contains(v.agent.Spec.Primitives, engine.CallType) {
		v.reject(p, "is for webhook, which is not in spec.primitives", "add it there, or leave it out here")
	}
}

// mostPriority bounds spec.priority, in both directions.
const mostPriority = 1000

func (v *validator) priority(p *fieldPath) {
	if n := v.agent.Spec.Priority; v.written(p) && (n < -mostPriority || n > mostPriority) {
		v.reject(p, fmt.Sprintf("%d is out of bounds", n), fmt.Sprintf("write a whole number from %d to %d", -mostPriority, mostPriority))
	}
}

func (v *validator) positive(p *fieldPath, d Duration, fix string) {
	if v.written(p) && d.Duration <= 0 {
		v.reject(p, "must be more than 0s", fix)
	}
}

// uniqueName rejects a name that another item has; names maps each name to its line.
func (v *validator) uniqueName(p *fieldPath, name string, names map[string]int, what string) {
	if name == "" || !v.readable(p) {
		return
	}
	at, _, _ := p.find(v.tree)
	if line, twice := names[name]; twice {
		v.reject(p, fmt.Sprintf("%s is the name of %s%s already", quote(name), what, onLine(line)), "give each its own name")
		return
	}
	names[name] = at.Line
}

// onLine is " on line N", or "" for a custom resource, which has no lines.
func onLine(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(" on line %d", line)
}

// distinct rejects an item that the list has already.
func (v *validator) distinct(p *fieldPath, item string, items map[string]bool) {
	if v.readable(p) && items[item] {
		v.reject(p, quote(item)+" is in the list already", "keep one")
	}
	items[item] = true
}

// allNamespaces is the value of a namespace field that selects every namespace.
const allNamespaces = "*"

func (v *validator) dnsLabel(p *fieldPath, name string) {
	if name != "" && v.readable(p) && (len(name) > 63 || !dnsPart.MatchString(name)) {
		v.rejectForm(p, name, dnsPart)
	}
}

// dnsName checks the name of a workload: a DNS-1123 subdomain, which may have dots.
func (v *validator) dnsName(p *fieldPath, name string) {
	if name == "" || !v.readable(p) {
		return
	}
	if len(name) > 253 || !dnsParts.MatchString(name) {
		v.rejectForm(p, name, dnsParts)
	}
}

func (v *validator) targets(p *fieldPath) {
	t := v.agent.Spec.Targets
	static, selector := p.field("static"), p.field("selector")
	set, complete := v.presentKeys(p, []string{"selector", "static"}, fieldNames(fieldsOf(reflect.TypeFor[Targets]())))
	switch {
	case len(set) == 2:
		v.reject(p, "has both selector and static", "keep one")
	case v.has(static):
		for _, name := range []string{"apiVersion", "kind", "namespace", "pods"} {
			if v.has(p.field(name)) {
				v.reject(p.field(name), "goes with selector only", "leave it out")
			}
		}
	case v.has(selector):
		v.besideSelector(p.field("apiVersion"), t.APIVersion)
		v.besideSelector(p.field("kind"), t.Kind)
		if t.Namespace != allNamespaces {
			v.dnsLabel(p.field("namespace"), t.Namespace)
		}
		v.podsOf(p, &t)
	case complete:
		v.reject(p, "has neither selector nor static", "write apiVersion, kind and selector: {matchLabels: ...}, or static: [{name: ...}]")
	}
	v.static(static)
}

func (v *validator) besideSelector(p *fieldPath, value string) {
	if value == "" && v.readable(p) {
		v.reject(p, "is missing", "a selector wants apiVersion and kind, like apps/v1 and Deployment")
	}
}

func (v *validator) static(p *fieldPath) {
	if v.written(p) && len(v.agent.Spec.Targets.Static) == 0 {
		v.reject(p, "must not be empty", "name at least one target")
	}
	names := map[string]int{}
	for i, t := range v.agent.Spec.Targets.Static {
		at := p.item(i)
		v.dnsName(at.field("name"), t.Name)
		v.dnsLabel(at.field("namespace"), t.Namespace)
		namespace := t.Namespace
		if namespace == "" {
			namespace = v.agent.Metadata.Namespace
		}
		if t.Name != "" && v.readable(at.field("namespace")) {
			v.uniqueName(at.field("name"), namespace+"/"+t.Name, names, "a target")
		}
	}
}

func (v *validator) strategies(p *fieldPath) {
	names := map[string]bool{}
	for i, name := range v.agent.Spec.Strategies {
		at := p.item(i)
		v.distinct(at, name, names)
		switch short, long := strings.CutPrefix(name, "scanflow.strategies."); {
		case !v.readable(at):
		case long:
			v.reject(at, quote(name)+" repeats what every strategy begins with", "write "+short)
		case !strategyName.MatchString(name):
			v.rejectForm(at, name, strategyName)
		}
	}
}

func (v *validator) primitives(p *fieldPath) {
	names := map[string]bool{}
	for i, verb := range v.agent.Spec.Primitives {
		at := p.item(i)
		v.distinct(at, verb, names)
		if !v.readable(at) {
			continue
		}
		if _, known := v.kinds.Verbs[verb]; !known {
			v.reject(at, quote(verb)+" is not a primitive of this release", v.verbFix(verb))
		}
	}
}

func (v *validator) verbFix(verb string) string {
	known := v.kinds.verbNames()
	fix := "the primitives are " + list(known)
	if near := closest(verb, known); near != "" {
		fix = "did you mean " + near + "? T" + fix[1:]
	}
	return fix
}

func (v *validator) params(p *fieldPath) {
	if _, node, there := p.find(v.tree); !there || !isMapping(node) {
		return
	}
	for _, key := range sortedKeys(v.agent.Spec.Params) {
		switch at := p.field(key); {
		case !regoName.MatchString(key):
			v.reject(at, "can't be written as input.params.NAME", "use letters, digits and _, beginning with a letter")
		case slices.Contains(regoKeywords, key):
			v.reject(at, quote(key)+" is a word of Rego", "choose another, like "+key+"_value")
		}
	}
}

func isMapping(n *yaml.Node) bool {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n != nil && n.Kind == yaml.MappingNode
}
