package app

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// neverEqual are the comparisons in policies with a word that a part of the input never
// is: a guard for the primitive "scael" binds nobody.
func neverEqual(agents []*manifest.Agent, rev *policy.Revision) []string {
	schema := any(manifest.GuardSchema(agents))
	var out []string
	for _, c := range rev.Comparisons() {
		words := wordsAt(schema, c.Path)
		switch strings.Join(c.Path, ".") {
		case "proposal.primitive":
			words = slices.Sorted(maps.Keys(Kinds().Verbs))
		case "agent.layer":
			words = []string{"application", "infrastructure"}
		}
		if len(words) > 0 && c.Text != "" && !slices.Contains(words, c.Text) {
			path := strings.ReplaceAll(strings.Join(c.Path, "."), "..", ".NAME.")
			out = append(out, fmt.Sprintf("%s:%d: input.%s is never %q; it is one of %s", c.File, c.Line, path, c.Text, strings.Join(words, ", ")))
		}
	}
	params := verbParams()
	for _, m := range rev.ProposalParams() {
		if !slices.Contains(params, m.Param) {
			out = append(out, fmt.Sprintf("%s:%d: input.proposal.with.%s is never there: no primitive has a parameter %q", m.File, m.Line, m.Param, m.Param))
		}
	}
	return slices.Compact(out)
}

// verbParams are the parameters of all primitives.
func verbParams() []string {
	var out []string
	for _, make := range Kinds().Verbs {
		raw := reflect.Indirect(reflect.ValueOf(make()))
		for _, field := range reflect.VisibleFields(raw.Type()) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// wordsAt are the only words that a part of the document may be; none where it may be any.
func wordsAt(schema any, path []string) []string {
	for _, name := range path {
		m, _ := schema.(map[string]any)
		properties, _ := m["properties"].(map[string]any)
		next, there := properties[name]
		if !there {
			next = m["additionalProperties"]
		}
		if name == "" { // any of those, which are alike
			for key, value := range properties {
				if key != "" {
					next = value
				}
			}
		}
		schema = next
	}
	m, _ := schema.(map[string]any)
	enum, _ := m["enum"].([]any)
	var out []string
	for _, word := range enum {
		if text, is := word.(string); is {
			out = append(out, text)
		}
	}
	return out
}
