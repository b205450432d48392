package agentcheck

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// impossibleComparisons lists where policies compare a part of the input with a word that
// it never is: a guard for the primitive "scael" denies nothing.
func impossibleComparisons(agents []*manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	schema := any(manifest.GuardSchema(agents))
	var out mistake.Mistakes
	for _, c := range rev.Comparisons() {
		words := wordsAt(schema, c.Path)
		switch strings.Join(c.Path, ".") {
		case "proposal.primitive":
			words = slices.Sorted(maps.Keys(agentspec.Kinds().Verbs))
		case "agent.layer":
			words = []string{"application", "infrastructure"}
		}
		if len(words) > 0 && c.Text != "" && !slices.Contains(words, c.Text) {
			path := strings.ReplaceAll(strings.Join(c.Path, "."), "..", ".NAME.")
			out = append(out, mistake.Mistake{File: c.File, Line: c.Line, Column: c.Column, Message: fmt.Sprintf("input.%s is never %q", path, c.Text), Fix: "it is one of " + strings.Join(words, ", ")})
		}
	}
	params := verbParams()
	for _, m := range rev.ProposalParams() {
		if !slices.Contains(params, m.Param) {
			out = append(out, mistake.Mistake{File: m.File, Line: m.Line, Column: m.Column, Message: fmt.Sprintf("input.proposal.with.%s is never there: no primitive has a parameter %q", m.Param, m.Param)})
		}
	}
	return slices.Compact(out)
}

// WithoutFound drops the warnings about comparisons that Verify refuses: it found the same
// part of the input mistaken on the same line.
func WithoutFound(warnings mistake.Mistakes, found error) mistake.Mistakes {
	var mistakes mistake.Mistakes
	errors.As(found, &mistakes)
	return slices.DeleteFunc(slices.Clone(warnings), func(w mistake.Mistake) bool {
		part, _, compared := strings.Cut(w.Message, " is never ")
		return compared && slices.ContainsFunc(mistakes, func(m mistake.Mistake) bool {
			return m.File == w.File && m.Line == w.Line && strings.Contains(m.Message, part)
		})
	})
}

// verbParams lists the parameters of all primitives.
func verbParams() []string {
	var out []string
	for _, make := range agentspec.Kinds().Verbs {
		out = append(out, paramsOf(make())...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// wordsAt lists the only words that a part of the document may be; it is empty where any
// word may be there.
func wordsAt(schema any, path []string) []string {
	for _, name := range path {
		m, _ := schema.(map[string]any)
		properties, _ := m["properties"].(map[string]any)
		next, there := properties[name]
		if !there {
			next = m["additionalProperties"]
		}
		if name == "" { // any property: they are alike
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
