package manifest

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine"
)

// validator finds the mistakes that no type shows. It looks each value's place up
// in the tree, and leaves alone what the decoder could not read.
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
	v.effect(spec)
}

// has tells whether the manifest has the key, with whatever value.
func (v *validator) has(p *place) bool {
	_, _, there := p.find(v.tree)
	return there
}

// readable tells whether a value, if it is there, could be read.
func (v *validator) readable(p *place) bool { return !v.unread[p.String()] }

// written tells whether a value is there and could be read.
func (v *validator) written(p *place) bool { return v.has(p) && v.readable(p) }

// among are those of the choices that a mapping has. It is sure of them if the
// mapping has no unknown key, which may be a choice misspelt.
func (v *validator) among(p *place, choices, others []string) (set []string, sure bool) {
	_, n, there := p.find(v.tree)
	if !there || !isMapping(n) {
		return nil, false
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	sure = true
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key := n.Content[i].Value; {
		case slices.Contains(choices, key):
			set = append(set, key)
		case !slices.Contains(others, key):
			sure = false
		}
	}
	slices.Sort(set)
	return slices.Compact(set), sure
}

// retryForFix says what stands for no span at all.
const retryForFix = "leave it out for a day, or an interval"

func (v *validator) retryFor(p *place) {
	v.positive(p, v.agent.Spec.RetryFor, retryForFix)
	if v.written(p) && v.readable(v.root.field("spec").field("primitives")) && !slices.Contains(v.agent.Spec.Primitives, engine.CallType) {
		v.bad(p, "is for webhook, which is not in spec.primitives", "add it there, or leave it out here")
	}
}

func (v *validator) positive(p *place, d Duration, fix string) {
	if v.written(p) && d.Duration <= 0 {
		v.bad(p, "must be more than 0s", fix)
	}
}

// unique holds a name against those before it; names maps each to its line.
func (v *validator) unique(p *place, name string, names map[string]int, what string) {
	if name == "" || !v.readable(p) {
		return
	}
	at, _, _ := p.find(v.tree)
	if line, twice := names[name]; twice {
		v.bad(p, fmt.Sprintf("%s is the name of %s%s already", quote(name), what, onLine(line)), "give each its own name")
		return
	}
	names[name] = at.Line
}

// onLine says where something else stands; nothing where a manifest was no text.
func onLine(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(" on line %d", line)
}

// once holds an item of a list against those before it.
func (v *validator) once(p *place, item string, items map[string]bool) {
	if v.readable(p) && items[item] {
		v.bad(p, quote(item)+" is in the list already", "keep one")
	}
	items[item] = true
}

// everyNamespace is how a manifest says that it means all of them.
const everyNamespace = "*"

const dnsFix = "use lower-case letters, digits and -, beginning and ending with a letter or digit"

var (
	dnsPart        = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	dnsPartOrEvery = regexp.MustCompile(`^([a-z0-9]([-a-z0-9]*[a-z0-9])?|\*)$`)
	dnsParts       = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

func (v *validator) dnsLabel(p *place, name string) {
	if name != "" && v.readable(p) && (len(name) > 63 || !dnsPart.MatchString(name)) {
		v.bad(p, quote(name)+" is not a DNS label of at most 63 characters", dnsFix)
	}
}

// dnsName takes a workload's name, which may have dots (a DNS-1123 subdomain).
func (v *validator) dnsName(p *place, name string) {
	if name == "" || !v.readable(p) {
		return
	}
	if len(name) > 253 || !dnsParts.MatchString(name) {
		v.bad(p, quote(name)+" is not a DNS name of at most 253 characters", dnsFix)
	}
}

func (v *validator) targets(p *place) {
	t := v.agent.Spec.Targets
	static, selector := p.field("static"), p.field("selector")
	set, sure := v.among(p, []string{"selector", "static"}, fieldNames(fieldsOf(reflect.TypeFor[Targets]())))
	switch {
	case len(set) == 2:
		v.bad(p, "has both selector and static", "keep one")
	case v.has(static):
		for _, name := range []string{"apiVersion", "kind", "namespace"} {
			if v.has(p.field(name)) {
				v.bad(p.field(name), "goes with selector only", "leave it out")
			}
		}
	case v.has(selector):
		v.besideSelector(p.field("apiVersion"), t.APIVersion)
		v.besideSelector(p.field("kind"), t.Kind)
		if t.Namespace != everyNamespace {
			v.dnsLabel(p.field("namespace"), t.Namespace)
		}
	case sure:
		v.bad(p, "has neither selector nor static", "write apiVersion, kind and selector: {matchLabels: ...}, or static: [{name: ...}]")
	}
	v.static(static)
}

func (v *validator) besideSelector(p *place, value string) {
	if value == "" && v.readable(p) {
		v.bad(p, "is missing", "a selector wants apiVersion and kind, like apps/v1 and Deployment")
	}
}

func (v *validator) static(p *place) {
	if v.written(p) && len(v.agent.Spec.Targets.Static) == 0 {
		v.bad(p, "must not be empty", "name at least one target")
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
			v.unique(at.field("name"), namespace+"/"+t.Name, names, "a target")
		}
	}
}

var strategyName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$`)

func (v *validator) strategies(p *place) {
	names := map[string]bool{}
	for i, name := range v.agent.Spec.Strategies {
		at := p.item(i)
		v.once(at, name, names)
		switch short, long := strings.CutPrefix(name, "scanflow.strategies."); {
		case !v.readable(at):
		case long:
			v.bad(at, quote(name)+" repeats what every strategy begins with", "write "+short)
		case !strategyName.MatchString(name):
			v.bad(at, quote(name)+" is not the name of a strategy", "write DOMAIN.NAME, like serving.autoscale, for the package scanflow.strategies.serving.autoscale")
		}
	}
}

func (v *validator) primitives(p *place) {
	names := map[string]bool{}
	for i, verb := range v.agent.Spec.Primitives {
		at := p.item(i)
		v.once(at, verb, names)
		if !v.readable(at) {
			continue
		}
		if _, known := v.kinds.Verbs[verb]; !known {
			v.bad(at, quote(verb)+" is not a primitive of this release", v.verbFix(verb))
		}
	}
}

func (v *validator) verbFix(verb string) string {
	known := v.kinds.verbNames()
	fix := "the primitives are " + list(known)
	if near := nearest(verb, known); near != "" {
		fix = "did you mean " + near + "? T" + fix[1:]
	}
	return fix
}

func (v *validator) params(p *place) {
	if _, node, there := p.find(v.tree); !there || !isMapping(node) {
		return
	}
	for _, key := range sortedKeys(v.agent.Spec.Params) {
		switch at := p.field(key); {
		case !regoName.MatchString(key):
			v.bad(at, "can't be written as input.params.NAME", "use letters, digits and _, beginning with a letter")
		case slices.Contains(regoWords, key):
			v.bad(at, quote(key)+" is a word of Rego", "choose another, like "+key+"_value")
		}
	}
}

func isMapping(n *yaml.Node) bool {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n != nil && n.Kind == yaml.MappingNode
}
