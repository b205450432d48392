package workflow

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ResolveParameters returns the parameters of a run: the given values, and the template's
// defaults for the rest. The error joins all missing, unknown and invalid parameters.
func ResolveParameters(t *Template, given map[string]string) (map[string]string, error) {
	out := map[string]string{}
	var errs []error
	var known []string
	for _, p := range t.Spec.Arguments.Parameters {
		known = append(known, p.Name)
		value := cmp.Or(p.Value, p.Default)
		if v, ok := given[p.Name]; ok {
			text := Text(v)
			value = &text
		}
		switch {
		case value == nil:
			errs = append(errs, fmt.Errorf("with.parameters.%s: is missing, and the template has no value for it", p.Name))
		case !p.allows(*value):
			errs = append(errs, fmt.Errorf("with.parameters.%s: %q is none of its enum: %s", p.Name, *value, enumText(p.Enum)))
		default:
			out[p.Name] = string(*value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("with.parameters.%s: the template has no such parameter; it has %s", name, strings.Join(known, ", ")))
		}
	}
	return out, errors.Join(errs...)
}

// globalScope returns the references that are valid in every template.
func (r *run) globalScope() scope {
	out := scope{"workflow.name": r.rec.Name, "workflow.namespace": r.rec.Namespace, "workflow.uid": r.rec.UID}
	for name, value := range r.rec.Parameters {
		out["workflow.parameters."+name] = value
	}
	return out
}

// inputs returns the input parameters of a node, whose dependencies have succeeded.
func (r *run) inputs(n *node) (map[string]string, error) {
	given, from := map[string]*Text{}, scope{}
	if n.parent == nil {
		for name, value := range r.rec.Parameters {
			text := Text(value)
			given[name] = &text
		}
	} else {
		from = r.dagScope(n.parent)
		for _, p := range n.task.Arguments.Parameters {
			given[p.Name] = p.Value
		}
	}
	out := map[string]string{}
	var errs []error
	for _, p := range n.template.Inputs.Parameters {
		value, err := "", error(nil)
		switch fallback := cmp.Or(p.Value, p.Default); {
		case given[p.Name] != nil && n.parent == nil:
			value = string(*given[p.Name]) // literally: references in it are not substituted
		case given[p.Name] != nil:
			value, err = from.substitute(string(*given[p.Name]))
		case fallback != nil:
			value, err = r.globalScope().substitute(string(*fallback))
		default:
			err = errors.New("has no value")
		}
		if text := Text(value); err == nil && !p.allows(text) {
			err = fmt.Errorf("%q is none of its enum: %s", value, enumText(p.Enum))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("input parameter %s: %w", p.Name, err))
		}
		out[p.Name] = value
	}
	return out, errors.Join(errs...)
}

// dagScope returns the references that are valid for the tasks and outputs of a dag by now.
func (r *run) dagScope(dag *node) scope {
	out := r.globalScope()
	for name, value := range r.step(dag).Inputs {
		out["inputs.parameters."+name] = value
	}
	for _, c := range dag.children {
		s := r.step(c)
		for name, value := range s.Outputs {
			out["tasks."+c.task.Name+".outputs.parameters."+name] = value
		}
		for name, path := range s.Artifacts {
			out["tasks."+c.task.Name+".outputs.artifacts."+name] = path
		}
	}
	for name, path := range r.inputFiles(dag) {
		out["inputs.artifacts."+name] = path
	}
	return out
}

// inputFiles returns the paths of a node's input artifacts by name; "" for an optional one
// that is missing.
func (r *run) inputFiles(n *node) map[string]string {
	out := map[string]string{}
	for _, a := range n.template.Inputs.Artifacts {
		out[a.Name] = ""
	}
	if n.parent == nil {
		return out
	}
	from := r.dagScope(n.parent)
	for _, a := range n.task.Arguments.Artifacts {
		if names := references(a.From); len(names) == 1 {
			out[a.Name] = from[names[0]]
		}
	}
	return out
}

// dagOutputs sets the outputs of a dag from those of its tasks.
func (r *run) dagOutputs(n *node, s *step) error {
	from := r.dagScope(n)
	s.Outputs, s.Artifacts = map[string]string{}, map[string]string{}
	var errs []error
	for _, p := range n.template.Outputs.Parameters {
		value, err := from.substitute(p.ValueFrom.Parameter)
		if err != nil {
			errs = append(errs, fmt.Errorf("output parameter %s: %w", p.Name, err))
		}
		s.Outputs[p.Name] = value
	}
	for _, a := range n.template.Outputs.Artifacts {
		path, err := from.substitute(a.From)
		if err != nil {
			errs = append(errs, fmt.Errorf("output artifact %s: %w", a.Name, err))
		}
		s.Artifacts[a.Name] = path
	}
	return errors.Join(errs...)
}
