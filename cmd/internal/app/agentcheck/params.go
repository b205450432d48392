package agentcheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// mistypedParams lists the params of an agent whose type differs from what the rules that
// read them expect. Rego reports no error for that: any number is less than any text, so
// a bound given as text is never reached.
func mistypedParams(a *manifest.Agent, reads policy.ParamReads) mistake.Mistakes {
	var all mistake.Mistakes
	for _, wants := range byPath(reads.Defaults) {
		path, value, there := paramAt(a.Spec.Params, wants[0].Path)
		if there && !expected(reads.Defaults, path, manifest.JSONType(value)) {
			all = append(all, a.MistypedParam(path, value, expectations(wants, path)))
		}
	}
	return slices.Compact(all)
}

// byPath groups defaults by path. They come sorted by path.
func byPath(defaults []policy.ParamDefault) [][]policy.ParamDefault {
	var out [][]policy.ParamDefault
	for i, d := range defaults {
		if i == 0 || !slices.Equal(d.Path, defaults[i-1].Path) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], d)
	}
	return out
}

// paramAt finds the value at a path, or the first value on the way that is no mapping and
// where that is. there is false for a param that is not set.
func paramAt(params map[string]any, path []string) (at []string, value any, there bool) {
	value = params
	for i, key := range path {
		m, is := value.(map[string]any)
		if !is {
			return path[:i], value, true
		}
		if value, there = m[key]; !there {
			return nil, nil, false
		}
	}
	return path, value, true
}

// expected reports whether some rule that reads a param expects this type. A rule that
// reads below the param expects a mapping. Where every default is null, any type is
// expected.
func expected(defaults []policy.ParamDefault, path []string, kind string) bool {
	open := true
	for _, d := range defaults {
		if len(d.Path) < len(path) || !slices.Equal(d.Path[:len(path)], path) {
			continue
		}
		wants := d.Type
		if len(d.Path) > len(path) {
			wants = "object"
		}
		if wants == kind {
			return true
		}
		open = open && wants == "null"
	}
	return open
}

// expectations describes which rule expects which type at a path.
func expectations(wants []policy.ParamDefault, path []string) string {
	var out []string
	for _, w := range wants {
		switch {
		case len(path) < len(w.Path):
			out = append(out, fmt.Sprintf("%s wants a mapping, for %s", w.By, strings.Join(w.Path, ".")))
		case w.Type != "null":
			out = append(out, fmt.Sprintf("%s wants %s (its default is %s)", w.By, manifest.TypeInWords(w.Type), w.Literal))
		}
	}
	return strings.Join(slices.Compact(out), ", ")
}

// unreadParams lists the params of an agent that none of its rules reads. Most likely the
// name is misspelt, so that a default applies instead.
func unreadParams(a *manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	reads := rev.Params(a.Spec.Strategies, boundBy(a))
	if reads.Any || slices.ContainsFunc(a.Spec.Strategies, func(s string) bool { return !rev.Has(s) }) {
		return nil
	}
	var out mistake.Mistakes
	bySensors := a.SensorParams()
	for _, name := range slices.Sorted(maps.Keys(a.Spec.Params)) {
		if !slices.Contains(reads.Names, name) && !slices.Contains(bySensors, name) {
			out = append(out, a.UnusedParam(name, reads.Names))
		}
	}
	return out
}
