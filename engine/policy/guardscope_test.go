package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// scoped is METADATA with a scope, above a package or a rule.
func scoped(scope string) string { return "# METADATA\n# custom: {" + scope + "}\n" }

func TestGuardsBindWhatTheirMetadataNames(t *testing.T) {
	const deny = "deny contains \"no\"\n"
	inPackage := func(scope, rules string) string { return scoped(scope) + "package scanflow.guards.g\n\n" + rules }
	onRules := func(rules ...string) string { return "package scanflow.guards.g\n\n" + strings.Join(rules, "\n") }
	for name, c := range map[string]struct {
		rego string
		want map[string]string // "agent verb" -> reasons
	}{
		"nothing": {onRules(deny), map[string]string{"a/x scale": "no", " restart": "no"}},
		"verbs": {inPackage(`verbs: [scale, restart]`, deny), map[string]string{
			"a/x scale": "no", "a/x restart": "no", "a/x place": "", "a/x autoscaler": "", "a/x ": "no"}},
		"an agent":              {inPackage(`agents: ["a/x"]`, deny), map[string]string{"a/x scale": "no", "b/x scale": "", "a/xx scale": "", "a/y scale": "", " scale": "no"}},
		"a bare name":           {inPackage(`agents: [x]`, deny), map[string]string{"a/x scale": "no", "b/x scale": "no", "x/a scale": ""}},
		"all of a namespace":    {inPackage(`agents: ["a/*"]`, deny), map[string]string{"a/x scale": "no", "a/y scale": "no", "aa/x scale": ""}},
		"all of a name":         {inPackage(`agents: ["*/x"]`, deny), map[string]string{"a/x scale": "no", "b/x scale": "no", "b/y scale": ""}},
		"part of a name":        {inPackage(`agents: ["a-*/x*z"]`, deny), map[string]string{"a-1/x-2-z scale": "no", "a-/xz scale": "no", "a/xz scale": "", "a-1/xy scale": ""}},
		"part of a bare name":   {inPackage(`agents: ["x-*"]`, deny), map[string]string{"a/x-1 scale": "no", "a/x scale": "", "x-1/a scale": ""}},
		"several agents":        {inPackage(`agents: ["a/x", y]`, deny), map[string]string{"a/x scale": "no", "c/y scale": "no", "c/x scale": ""}},
		"agents and verbs":      {inPackage(`agents: [x], verbs: [scale]`, deny), map[string]string{"a/x scale": "no", "a/x place": "", "a/y scale": ""}},
		"a rule":                {onRules(scoped(`verbs: [scale]`)+deny, "deny contains \"all\"\n"), map[string]string{"a/x scale": "all, no", "a/x place": "all"}},
		"two rules":             {onRules(scoped(`verbs: [scale]`)+"deny contains \"s\"\n", scoped(`verbs: [place]`)+"deny contains \"p\"\n"), map[string]string{"a/x scale": "s", "a/x place": "p", "a/x restart": ""}},
		"the nearest counts":    {inPackage(`verbs: [scale]`, scoped(`verbs: [place]`)+"deny contains \"p\"\n\n"+scoped(`agents: [x]`)+"deny contains \"s\"\n"), map[string]string{"a/x scale": "s", "a/y scale": "", "a/x place": "p", "a/y place": "p"}},
		"a clamp and a deny":    {onRules(scoped(`verbs: [scale]`)+"clamp contains {\"with\": \"replicas\", \"max\": 9, \"reason\": \"r\"}\n", scoped(`verbs: [place]`)+"deny contains \"p\"\n"), map[string]string{"a/x scale": "", "a/x place": "p", "a/x restart": ""}},
		"its signals are quiet": {inPackage(`verbs: [scale]`, "deny contains \"x\" if input.signals.errors.value > 1\n"), map[string]string{"a/x scale": "signal errors is empty", "a/x place": ""}},
		"a rule's signals are quiet": {onRules(scoped(`verbs: [scale]`)+"deny contains \"x\" if input.signals.errors.value > 1\n", "deny contains \"all\"\n"),
			map[string]string{"a/x scale": "all, signal errors is empty", "a/x place": "all"}},
		"its errors are quiet":      {inPackage(`verbs: [scale]`, "deny contains \"x\" if to_number(input.target.name) > 1\n"), map[string]string{"a/x place": ""}},
		"a rule's errors are quiet": {onRules(scoped(`verbs: [scale]`)+"deny contains \"x\" if to_number(input.target.name) > 1\n", "deny contains \"all\"\n"), map[string]string{"a/x place": "all"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := one(`propose contains {"primitive": "p", "reason": "r", "because": []}`)
			files["g.rego"] = c.rego
			rev := compiled(t, files, Options{})
			for who, want := range c.want {
				agent, verb, _ := strings.Cut(who, " ")
				r := rev.Review(t.Context(), document(1), engine.Proposal{Agent: agent, Primitive: verb, With: map[string]any{"replicas": 6.0}})
				var reasons []string
				for _, d := range r.Denials {
					reasons = append(reasons, d.Reason)
				}
				slices.Sort(reasons)
				require.Equal(t, want, strings.Join(reasons, ", "), who)
			}
		})
	}
}

// Tests of a guard in Rego call its rules without an engine: all of them are evaluated.
func TestScopedRulesAreTestedAsTheyAreWritten(t *testing.T) {
	files := one(`propose contains {"primitive": "p", "reason": "r", "because": []}`)
	files["g.rego"] = "package scanflow.guards.g\n\n" + scoped("verbs: [scale]") + "deny contains \"s\"\n\n" + scoped("agents: [x]") + "deny contains \"p\"\n"
	files["g_test.rego"] = "package scanflow.guards.g_test\n\nimport data.scanflow.guards.g\n\ntest_all if g.deny == {\"s\", \"p\"} with input as {\"proposal\": {\"primitive\": \"place\"}}\n"
	rev, err := Candidate(t.Context(), sourceOf(t, files), Options{})
	require.NoError(t, err)
	require.Empty(t, rev.CheckGuards(map[string]any{"type": "object", "properties": map[string]any{"proposal": map[string]any{}}, "additionalProperties": false}, rev.Guards()),
		"what is inserted for a scope is no part of the document")
}

func TestMistakesInAScope(t *testing.T) {
	const deny = "package scanflow.guards.g\n\ndeny contains \"no\"\n"
	for scope, says := range map[string]string{
		"verbs: []":             "g.rego:1:1: verbs in METADATA is empty, so that the guard binds nobody; name some, or leave it out to bind all",
		"agents: []":            "agents in METADATA is empty",
		"verbs: scale":          "verbs in METADATA must be a list; write it as `custom: {verbs: [scale, restart]}`",
		"agents: a/x":           "agents in METADATA must be a list; write it as `custom: {agents: [",
		"agents: {a: x}":        "agents in METADATA must be a list",
		"verbs: [1]":            "verbs in METADATA holds 1, which is no name",
		"verbs: [\"\"]":         "which is no name",
		"verbs: [scale, scale]": "verbs in METADATA holds scale twice; take one out",
		"agents: [\"a/b/c\"]":   `METADATA names agent "a/b/c"; it is NAMESPACE/NAME or NAME, in lower case, with * for any part of either`,
		"agents: [\"/b\"]":      `METADATA names agent "/b"`,
		"agents: [\"a/\"]":      `METADATA names agent "a/"`,
		"agents: [\"A/b\"]":     `METADATA names agent "A/b"`,
		"agents: [\"a b\"]":     `METADATA names agent "a b"`,
		"agents: [\"a/[bc]\"]":  `METADATA names agent "a/[bc]"`,
		"agents: [\"a/b?\"]":    `METADATA names agent "a/b?"`,
		"agent: [x]":            "METADATA has custom.agent, which has no effect; did you mean agents?",
		"verb: scale":           "did you mean verbs?",
		"primitives: [scale]":   "did you mean verbs?",
		"state: [empty]":        "did you mean states?",
		"agnets: [x]":           "g.rego:1:1: METADATA has custom.agnets, which has no effect; did you mean agents?",
		"vebs: [scale]":         "did you mean verbs?",
		"sates: [empty]":        "did you mean states?",
	} {
		t.Run(scope, func(t *testing.T) {
			_, err := Compile(t.Context(), sourceOf(t, with(one(`propose contains {"primitive": "p", "reason": "r", "because": []}`), "g.rego", scoped(scope)+deny)), Options{})
			require.ErrorContains(t, err, says)
		})
	}
	_, err := Compile(t.Context(), sourceOf(t, with(one(`propose contains {"primitive": "p", "reason": "r", "because": []}`), "g.rego", deny+"\ndeny contains \"x\" if helper\n\n"+scoped("verbs: [scale]")+"helper if input.now_ns > 0\n")), Options{})
	require.ErrorContains(t, err, "g.rego:7:1: verbs in the METADATA of helper has no effect; write it above a deny or clamp rule, or above the package")
}

// A comment that is meant as METADATA and is none binds more than its author means.
func TestMisspeltMetadataOfAGuard(t *testing.T) {
	for name, c := range map[string]struct{ comment, says string }{
		"a key in capitals":         {"# METADATA\n# Custom: {agents: [x]}\n", "g.rego:4:1: METADATA has Custom, which has no effect; did you mean custom?"},
		"a key that is misspelt":    {"# METADATA\n# custm: {agents: [x]}\n", "g.rego:4:1: METADATA has custm, which has no effect; did you mean custom?"},
		"a scope beside custom":     {"# METADATA\n# verbs: [scale]\n", "g.rego:4:1: METADATA has verbs, which has no effect; write it below custom, as `custom: {verbs: [...]}`"},
		"a header in small letters": {"# metadata\n# custom: {verbs: [scale]}\n", `g.rego:3:1: the comment "# metadata" is no METADATA, and what follows has no effect; write # METADATA in capitals`},
		"a header with a capital":   {"# Metadata:\n# custom: {verbs: [scale]}\n", "write # METADATA in capitals"},
		"no header":                 {"# custom: {verbs: [scale]}\n", "g.rego:3:1: custom in a comment without METADATA has no effect; write the line # METADATA above it"},
		"no header, on two lines":   {"# title: x\n# custom:\n#   verbs: [scale]\n", "g.rego:4:1: custom in a comment without METADATA has no effect"},
		"a text":                    {"# Custom: of the house.\n", ""},
		"a text about custom":       {"# custom: {x} is not read\n", ""},
		"a text with a colon":       {"# METADATA\n# description: |\n#   verbs: all of them\n", ""},
		"another key of custom":     {"# METADATA\n# custom: {layer: x, status: stable, severity: 3, agency: y}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(t.Context(), sourceOf(t, with(one(`propose contains {"primitive": "p", "reason": "r", "because": []}`), "g.rego", "package scanflow.guards.g\n\n"+c.comment+"deny contains \"no\"\n")), Options{})
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestTheLineThatNamesGuardsHasTheirScope(t *testing.T) {
	files := one(`propose contains {"primitive": "p", "reason": "r", "because": []}`)
	files["a.rego"] = "package scanflow.guards.a\n\ndeny contains \"no\"\n"
	files["b.rego"] = scoped(`verbs: [scale, place], agents: ["a/*", x]`) + "package scanflow.guards.b\n\ndeny contains \"no\"\n"
	files["c.rego"] = "package scanflow.guards.c\n\n" + scoped(`verbs: [scale]`) + "deny contains \"s\"\n\n" + scoped(`verbs: [place], agents: [x]`) + "deny contains \"p\"\n"
	files["d.rego"] = "package scanflow.guards.d\n\n" + scoped(`verbs: [scale]`) + "deny contains \"s\"\n\ndeny contains \"p\"\n"
	rev := compiled(t, files, Options{})
	infos := rev.GuardInfos()
	for i := range infos {
		infos[i].From = "."
	}
	require.Equal(t, "a (.), b (.; verbs: place, scale; agents: a/*, x), c (.; verbs: place, scale), d (.)", FormatGuards(infos))
	require.Equal(t, []string{"a", "d"}, rev.GuardsFor(Bound{Agent: "b/y", Verbs: []string{"annotate"}}))
	require.Equal(t, []string{"a", "c", "d"}, rev.GuardsFor(Bound{Agent: "b/y", Verbs: []string{"annotate", "scale"}}))
	require.Equal(t, []string{"a", "b", "c", "d"}, rev.GuardsFor(Bound{}))
}
