package policy

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// forms are ways to define NAME that give no set: each is a mistake that says so, in a
// strategy and in a guard, and nothing that reads the text stumbles over it.
var forms = map[string]string{
	"a value":                   `NAME := "p"`,
	"a value with a body":       `NAME := p if { p := {"primitive": "scale"} }`,
	"true":                      `NAME if { input.now_ns > 0 }`,
	"an old assignment":         `NAME = {"a": 1}`,
	"a set written out":         `NAME := {"a", "b"}`,
	"a comprehension":           `NAME := {x | some x in [1, 2]}`,
	"a default":                 `default NAME := set()`,
	"a default and a body":      "default NAME := false\n\nNAME := true if { input.now_ns > 0 }",
	"an else":                   `NAME := 1 if { input.now_ns > 0 } else := 2 if { input.now_ns > 1 } else := 3`,
	"a chain":                   "NAME := 1 if { input.now_ns > 0 }\n\nNAME := 1 if { input.now_ns > 1 }",
	"bodies in a row":           `NAME := 1 if { input.now_ns > 0 } { input.now_ns > 1 }`,
	"a function":                `NAME(x) := x + 1`,
	"a function of nothing":     `NAME() := 1`,
	"a function of a pattern":   `NAME([x, {"a": y}]) if { x > y }`,
	"a function of constants":   `NAME("a", 1) := input.signals.rps.value`,
	"a function with a default": "default NAME(_) := 1\n\nNAME(x) := 2 if { x > 1 }",
	"a function with an else":   `NAME(x) := 1 if { x > 1 } else := input.params.a`,
	"a partial object":          `NAME[x] := y if { some x, y in {"a": 1} }`,
	"a partial object of true":  `NAME[x] if { some x in ["a"] }`,
	"a partial object of one":   `NAME["a"] := 1`,
	"an object of a number":     `NAME[1] := 1`,
	"a dotted name":             `NAME.a.b := 1`,
	"a dotted name with a body": `NAME.a.b if { input.now_ns > 0 }`,
	"a dotted set":              `NAME.a contains x if { some x in [1] }`,
	"a set in an object":        `NAME[y] contains x if { some x, y in [1] }`,
	"a dotted variable":         `NAME.a[x].b := y if { some x, y in {"a": 1} }`,
	"a dotted function":         `NAME.a(x) := x`,
	"a set and a value":         "NAME contains x if { some x in [1] }\n\nNAME.a := 1",
}

func TestEveryFormOfAHead(t *testing.T) {
	ctx := context.Background()
	for form, text := range forms {
		for _, place := range []struct{ rule, file, pkg, want string }{
			{"propose", "x.rego", "package scanflow.strategies.x\n\n", "propose must be a set of proposals"},
			{"deny", "g.rego", "package scanflow.guards.x\n\n", "deny must be a set of reasons"},
		} {
			t.Run(place.rule+" is "+form, func(t *testing.T) {
				files := with(basic(), place.file, place.pkg+strings.ReplaceAll(text, "NAME", place.rule))
				src := sourceOf(t, files)
				_, err := Candidate(ctx, src, Options{})
				require.Error(t, err)
				require.ErrorAs(t, err, new(mistake.Mistakes))
				_, err = Compile(ctx, src, Options{})
				require.Error(t, err)
				if rev, draftErr := Draft(ctx, src); draftErr == nil {
					require.ErrorContains(t, err, place.want)
					readEverything(t, rev)
				} else {
					require.Contains(t, err.Error(), "rego_") // OPA itself refuses the form
				}
			})
		}
	}
}

// good are heads that give a set, however they are written.
func TestEveryFormOfASet(t *testing.T) {
	ctx := context.Background()
	proposal := `{"primitive": "scale", "with": {}, "reason": "r", "because": []}`
	for form, text := range map[string]string{
		"contains":           `propose contains ` + proposal,
		"contains with body": `propose contains p if { p := ` + proposal + ` }`,
		"through two names":  `propose contains p if { q := ` + proposal + "\np := q }",
		"bodies in a row":    `propose contains p if { p := ` + proposal + `; input.now_ns > 0 } { p := ` + proposal + ` }`,
		"two rules":          `propose contains ` + proposal + "\n\npropose contains " + proposal,
		"old-style equals":   `propose contains p if { p = ` + proposal + ` }`,
	} {
		t.Run(form, func(t *testing.T) {
			rev, err := Compile(ctx, sourceOf(t, one(text)), Options{})
			require.NoError(t, err)
			readEverything(t, rev)
			e := rev.Evaluate(ctx, []string{"x"}, document(1))
			require.Empty(t, e.Problems)
			require.Len(t, e.Proposals, 1)
			_, err = rev.Explain(ctx, "x", document(1).Input())
			require.NoError(t, err)
		})
	}
	for form, text := range map[string]string{
		"contains": `deny contains "no"`, "contains with body": `deny contains r if { r := "no" }`,
		"a number": `deny contains 1`, "a call": `deny contains sprintf("%d", [1]) if { input.now_ns > 0 }`,
	} {
		t.Run("deny "+form, func(t *testing.T) {
			rev, err := Compile(ctx, sourceOf(t, with(basic(), "g.rego", "package scanflow.guards.x\n\n"+text)), Options{})
			require.NoError(t, err)
			readEverything(t, rev)
			require.Len(t, rev.Review(ctx, document(1), engine.Proposal{}).Denials, 1)
		})
	}
}

// readEverything asks a revision for all that its text tells.
func readEverything(t *testing.T, rev *Revision) {
	t.Helper()
	rev.Warnings()
	rev.Guards()
	names := append(rev.Strategies(), "none")
	rev.Params(names, Bound{})
	rev.Reads(names)
	for _, name := range names {
		rev.Primitives(name)
		rev.Marks(name)
	}
	schema := []byte(`{"type": "object"}`)
	rev.CheckAgainst(schema, names)
	rev.CheckGuards(schema, rev.Guards())
}
