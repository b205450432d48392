package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// mistypedParams are the params of an agent that have another type than the rules that
// read them take them to have. In Rego that is no error: any number is less than any
// text, so a bound that is text is never reached.
func mistypedParams(a *manifest.Agent, reads policy.ParamReads) Unfit {
	var unfit Unfit
	for _, wants := range byPath(reads.Defaults) {
		path, value, there := paramAt(a.Spec.Params, wants[0].Path)
		if there && !meant(reads.Defaults, path, manifest.JSONType(value)) {
			unfit = append(unfit, a.MistypedParam(path, value, wanted(wants, path)).Error())
		}
	}
	return slices.Compact(unfit)
}

// byPath groups defaults, which are in the order of their paths.
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

// paramAt finds a value, or the one on the way to it that is no mapping. A param that is
// not set is not there, and neither is what a mapping does not have.
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

// meant tells whether any of those who read a param means it to have a type. Who reads
// below it means it to be a mapping. A default of null alone says of no type that it is
// meant, and so any is.
func meant(defaults []policy.ParamDefault, path []string, kind string) bool {
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

// wanted says who takes what is at a path for what.
func wanted(wants []policy.ParamDefault, path []string) string {
	var says []string
	for _, w := range wants {
		switch {
		case len(path) < len(w.Path):
			says = append(says, fmt.Sprintf("%s wants a mapping, for %s", w.By, strings.Join(w.Path, ".")))
		case w.Type != "null":
			says = append(says, fmt.Sprintf("%s wants %s (its default is %s)", w.By, manifest.TypeInWords(w.Type), w.Literal))
		}
	}
	return strings.Join(slices.Compact(says), ", ")
}

// unreadParams are the params of an agent that nothing which it runs reads: most likely
// misspelt, so that a default holds in their place.
func unreadParams(a *manifest.Agent, rev *policy.Revision) []string {
	reads := rev.Params(a.Spec.Strategies)
	if reads.Any || slices.ContainsFunc(a.Spec.Strategies, func(s string) bool { return !rev.Has(s) }) {
		return nil
	}
	var out []string
	for name := range a.Spec.Params {
		if !slices.Contains(reads.Names, name) {
			out = append(out, a.UnreadParam(name, reads.Names).Error())
		}
	}
	slices.Sort(out)
	return out
}

// warnIdle tells the log of what has no effect. Unlike the other doubts, it leaves no trace
// in the decisions.
func (s *System) warnIdle(agents ...*manifest.Agent) {
	for _, a := range agents {
		for _, says := range idle(a, s.Policies.Live()) {
			s.opts.Log.Warn("of an agent, something does nothing", "agent", a.Info().String(), "error", says)
		}
	}
}

// warnAllIdle is warnIdle for all agents, and for what the policies hold against them.
func (s *System) warnAllIdle(agents ...*manifest.Agent) {
	s.warnIdle(agents...)
	for _, says := range neverEqual(agents, s.Policies.Live()) {
		s.opts.Log.Warn("of the policies, something does nothing", "error", says)
	}
}
