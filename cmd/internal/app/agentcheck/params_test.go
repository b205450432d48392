package agentcheck

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// paramPolicies read params in every way: a and b disagree about mode.
const paramPolicies = `package scanflow.strategies.t.NAME

import data.scanflow.lib.shared

propose contains {"primitive": "webhook", "with": {"url": "http://127.0.0.1:1/"}, "reason": "r", "because": []} if {
	READS
	shared.patient
}
`

func paramDraft(t *testing.T) *policy.Revision {
	t.Helper()
	files := fstest.MapFS{
		"shared.rego": {Data: []byte("package scanflow.lib.shared\n\npatient if object.get(input.params, \"patience_ns\", 60) > 1\n")},
		"guard.rego":  {Data: []byte("package scanflow.guards.g\n\ndeny contains \"off\" if not object.get(input.params, \"allowed\", true)\n")},
	}
	for name, reads := range map[string]string{
		"a": `object.get(input.params, "bound", 4) > 1; object.get(input.params, "mode", "") != "x"; object.get(input.params, ["limits", "low"], 1) > 0`,
		"b": `object.get(input.params, "mode", 0) != 1; object.get(input.params, "names", []) != [1]; object.get(input.params, "extra", {}) != {"a": 1}`,
		"c": `object.get(input.params, "until", null) != 1; object.get(input.params, "limits", 1) > 0`,
		"d": `count(input.params) > 0`,
		"e": `object.get(input.params, "until", null) != 1; object.get(input.params, "until", "now") != 2`,
	} {
		files[name+".rego"] = &fstest.MapFile{Data: []byte(strings.NewReplacer("NAME", name, "READS", reads).Replace(paramPolicies))}
	}
	src, err := source.FromFS(fs.FS(files))()
	require.NoError(t, err)
	rev, err := policy.Draft(t.Context(), src)
	require.NoError(t, err)
	return rev
}

func agentWith(t *testing.T, strategies, params string) []*manifest.Agent {
	t.Helper()
	agents, err := manifest.ReadBytes("a.yaml", []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a}
spec:
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 2s}]
  primitives: [webhook]
  strategies: [`+strategies+`]
  params:
    `+params+"\n"), agentspec.Kinds())
	require.NoError(t, err)
	return agents
}

func TestParamsAreHeldAgainstWhatReadsThem(t *testing.T) {
	rev := paramDraft(t)
	const a, at = "t.a", "a.yaml:10:5: spec.params."
	for name, c := range map[string]struct{ strategies, params, wrong, doubt string }{
		"as it should be":                {a, `{bound: 4.5, mode: fast, limits: {low: 2}, allowed: false, patience_ns: 6e9}`, "", ""},
		"text for a number":              {a, `bound: "4"`, at + `bound: is text, "4"; t.a wants a number (its default is 4)`, ""},
		"a boolean for a number":         {a, `bound: true`, at + `bound: is true; t.a wants a number (its default is 4)`, ""},
		"a list for a number":            {a, `bound: [4]`, at + `bound: is a list; t.a wants a number (its default is 4)`, ""},
		"null for a number":              {a, `bound: null`, at + `bound: is nothing; t.a wants a number (its default is 4)`, ""},
		"nothing for a number":           {a, `bound:`, at + `bound: is nothing; t.a wants a number (its default is 4)`, ""},
		"a number for text":              {a, `mode: 1`, at + `mode: is a number, 1; t.a wants text (its default is "")`, ""},
		"a mapping for a list":           {"t.b", `names: {a: 1}`, at + `names: is a mapping; t.b wants a list (its default is [])`, ""},
		"a list for a mapping":           {"t.b", `extra: []`, at + `extra: is a list; t.b wants a mapping (its default is {})`, ""},
		"text for a guard's boolean":     {a, `allowed: "false"`, at + `allowed: is text, "false"; guard g wants true or false (its default is true)`, ""},
		"of a library":                   {a, `patience_ns: 60s`, at + `patience_ns: is text, "60s"; t.a wants a number (its default is 60)`, ""},
		"of a library of two":            {"t.a, t.b", `patience_ns: 60s`, at + `patience_ns: is text, "60s"; t.a wants a number (its default is 60), t.b wants a number (its default is 60)`, ""},
		"below one":                      {a, `limits: {low: "1"}`, `a.yaml:10:14: spec.params.limits.low: is text, "1"; t.a wants a number (its default is 1)`, ""},
		"none to be below":               {a, `limits: 5`, at + `limits: is a number, 5; t.a wants a mapping, for limits.low`, ""},
		"below one that has others":      {a, `limits: {high: 5}`, "", ""},
		"a mapping for some":             {"t.a, t.c", `limits: {low: 5}`, "", ""},
		"a number for others":            {"t.a, t.c", `limits: 5`, "", ""},
		"neither":                        {"t.c, t.a", `limits: five`, at + `limits: is text, "five"; t.c wants a number (its default is 1)` + "\n" + at + `limits: is text, "five"; t.a wants a mapping, for limits.low`, ""},
		"one of two that disagree":       {"t.a, t.b", `mode: fast`, "", ""},
		"the other of them":              {"t.a, t.b", `mode: 2`, "", ""},
		"what neither of them means":     {"t.a, t.b", `mode: true`, at + `mode: is true; t.a wants text (its default is ""), t.b wants a number (its default is 0)`, ""},
		"any, where the default is null": {"t.c", `until: {a: 1}`, "", ""},
		"null, where it is the default":  {"t.c, t.e", `until: null`, "", ""},
		"null, beside a type":            {"t.e", `until: 4`, at + `until: is a number, 4; t.e wants text (its default is "now")`, ""},
		"of another agent's strategy":    {"t.b", `bound: "4"`, "", at + `bound: nothing that this agent runs reads it; correct its name or leave it out; those read and not set are allowed, extra, mode, names, patience_ns`},
		"misspelt":                       {a, `bond: 5`, "", at + `bond: nothing that this agent runs reads it; did you mean bound?`},
		"misspelt, of a guard":           {a, `alloed: false`, "", at + `alloed: nothing that this agent runs reads it; did you mean allowed?`},
		"misspelt, of a library":         {a, `patience: 5`, "", at + `patience: nothing that this agent runs reads it; did you mean patience_ns?`},
		"misspelt, and nobody can tell":  {"t.a, t.d", `bond: 5`, "", ""},
		"mistyped, and nobody can tell":  {"t.a, t.d", `bound: "5"`, at + `bound: is text, "5"; t.a wants a number (its default is 4)`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			agents := agentWith(t, c.strategies, c.params)
			err, doubts := Verify(agents, rev), Warnings(agents, rev).Error()
			if c.wrong == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.wrong)
			}
			require.Equal(t, c.doubt, doubts)
		})
	}
}

// Verify reports all params of an agent at once. What another agent sets does not matter.
func TestEachParamOfEachAgentIsJudged(t *testing.T) {
	rev := paramDraft(t)
	agents := append(agentWith(t, "t.a", "{bound: four, mode: 5, x: 1, y: 1}"), agentWith(t, "t.b", "{extra: x, bound: 1}")...)
	require.EqualError(t, Verify(agents, rev), `a.yaml:10:6: spec.params.bound: is text, "four"; t.a wants a number (its default is 4)
a.yaml:10:19: spec.params.mode: is a number, 5; t.a wants text (its default is "")
a.yaml:10:6: spec.params.extra: is text, "x"; t.b wants a mapping (its default is {})`)
	doubts := Warnings(agents, rev)
	require.Len(t, doubts, 3)
	for i, field := range []string{"x", "y", "bound"} {
		require.Contains(t, doubts[i].Error(), "spec.params."+field+": nothing that this agent runs reads it")
	}
}

// The agents that ship fit the policies that ship, and a misspelt or mistyped param of
// theirs would be reported.
func TestParamsOfTheAgentsThatShip(t *testing.T) {
	src, err := policysource.Source{}.Read(t.Context())
	require.NoError(t, err)
	rev, err := policy.Draft(t.Context(), src)
	require.NoError(t, err)
	var files []string
	require.NoError(t, filepath.WalkDir("../../../../deploy", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && slices.Contains([]string{"helm", "crds"}, d.Name()) {
			return fs.SkipDir
		}
		if raw, readErr := os.ReadFile(name); filepath.Ext(name) == ".yaml" && readErr == nil && bytes.Contains(raw, []byte("\nkind: Agent\n")) {
			files = append(files, name)
		}
		return err
	}))
	agents := map[string]bool{}
	for _, file := range files {
		read, err := manifest.Read([]string{file}, agentspec.Kinds())
		require.NoError(t, err)
		for _, a := range read {
			agents[a.Metadata.Name] = true
			require.NoError(t, Verify(read, rev), file)
			require.Empty(t, Warnings(read, rev), file)
			right := a.Spec.Params
			for name := range right {
				a.Spec.Params = maps.Clone(right)
				delete(a.Spec.Params, name)
				a.Spec.Params[name+"x"] = right[name]
				require.Contains(t, Warnings(read, rev).Error(), "spec.params."+name+"x: nothing that this agent runs reads it; did you mean "+name+"?", file)
			}
			for _, d := range rev.Params(a.Spec.Strategies, boundBy(a)).Defaults {
				a.Spec.Params = maps.Clone(right)
				other, says := any([]any{}), "is a list" // another type than the default's
				if d.Type == "array" {
					other, says = map[string]any{}, "is a mapping"
				}
				a.Spec.Params[d.Path[0]] = other
				require.ErrorContains(t, Verify(read, rev), "spec.params."+d.Path[0]+": "+says+"; "+d.By+" wants ", file)
			}
		}
	}
	require.Equal(t, []string{"checker", "executor", "failover", "planner", "reserve", "scaler", "standby", "tracker"}, slices.Sorted(maps.Keys(agents)))
}
