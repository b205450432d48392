package policy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/policies"
)

// Each of these is taken, and has no effect: check and the log of the daemon say so.
func TestWhatHasNoEffectIsAWarning(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"data that no rule refers to":        {"data.json", `{"limits": {"most": 3}, "limitz": {"most": 2}}`, "data.json: no rule refers to data.limitz, which has no effect; correct the name, or take it out"},
		"a value of such":                    {"limits/data.yaml", "most: 3\nmots: 4", "limits/data.yaml: no rule refers to data.limits.mots, which has no effect"},
		"data of OPA's server":               {"system/data.yaml", "authz: {x: 1}", "system/data.yaml: no rule refers to data.system"},
		"a name with a dot":                  {"data.json", `{"a.b": 1}`, `data.json: no rule refers to data["a.b"]`},
		"data that a rule refers to":         {"limits/data.yaml", "most: 3", ""},
		"all of which a rule refers to":      {"whole/data.yaml", "a: {b: 1}\nc: 2", ""},
		"by a name that is computed":         {"per/data.yaml", "web: 1\napi: 2", ""},
		"data of tests":                      {"cases/data.yaml", "web: 1", ""},
		"a package of OPA's server":          {"m.rego", "package system.authz\n\ndefault allow := false\n", "m.rego:1:1: nothing that is asked refers to package system.authz, which has no effect; refer to it in a strategy or a guard, or take it out"},
		"a package of another tool":          {"m.rego", "package main\n\nviolation contains \"x\" if input.proposal.primitive == \"p\"\n", "refers to package main"},
		"a library that nothing refers to":   {"m.rego", "package scanflow.lib.z\n\nf(x) := x\n", "refers to package scanflow.lib.z"},
		"a rule of a guard":                  {"m.rego", "package scanflow.guards.m\n\ndeny contains \"x\" if input.proposal.primitive == \"q\"\n\nlarge if input.proposal.with.replicas > 3\n", "m.rego:5:1: scanflow.guards.m.large binds nobody, and no deny or clamp refers to it; refer to it, or take it out"},
		"a rule of a strategy":               {"m.rego", "package scanflow.strategies.m\n\npropose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n\nbusy if input.now_ns > 3\n", "scanflow.strategies.m.busy binds nobody, and no propose or remember refers to it"},
		"a rule that another one stands for": {"m.rego", "package scanflow.guards.m\n\ndeny contains \"x\" if large\n\nlarge if input.proposal.with.replicas > 3\n\nlarge if input.proposal.with.max > 3\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{
				"lib.rego":    "package scanflow.lib.t\n\nf(x) := x\n", // a test alone refers to it
				"x.rego":      "package scanflow.strategies.x\n\npropose contains {\"primitive\": \"p\", \"with\": {\"a\": [x | x := data.limits.most], \"b\": [x | x := data.whole], \"c\": [x | x := data.per[input.target.name]]}, \"reason\": \"r\", \"because\": []}\n",
				"x_test.rego": "package scanflow.strategies.x_test\n\ntest_x if {\n\tsome c in data.cases\n\tc == data.scanflow.lib.t.f(1)\n}\n",
			}
			files[c.file] = c.text
			rev, err := Draft(t.Context(), sourceOf(t, files))
			require.NoError(t, err)
			var log bytes.Buffer
			delete(files, "x_test.rego") // it fails without its data
			dir := t.TempDir()
			write(t, dir, files)
			s := NewStore(source.FromPath(dir), StoreOptions{Log: hclog.New(&hclog.LoggerOptions{Output: &log})})
			require.NoError(t, s.Load(t.Context()))
			if c.want == "" {
				require.NotContains(t, messages(rev.Warnings()), "no effect")
				require.NotContains(t, messages(rev.Warnings()), "binds nobody")
				return
			}
			require.Contains(t, messages(rev.Warnings()), c.want)
			require.Contains(t, log.String(), "something does nothing")
			require.Contains(t, log.String(), c.want[:12])
		})
	}
}

// Everything that ships has an effect.
func TestWhatShipsHasAnEffect(t *testing.T) {
	src, err := source.ReadFS(policies.FS)
	require.NoError(t, err)
	rev, err := Draft(t.Context(), src)
	require.NoError(t, err)
	require.Empty(t, rev.Unused())
}

// Of much data without effect the first values are named, and the others counted, in a time
// that does not grow with their square.
func TestMuchDataWithoutEffectIsSaidOnce(t *testing.T) {
	var data, rules strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&data, "\"k%05d\": 1,", i)
	}
	for i := range 2000 {
		fmt.Fprintf(&rules, "helper%d := %[1]d\n\n", i)
	}
	files := with(basic(), ".manifest", "", "many/data.json", "{"+data.String()+`"read": 1}`)
	files["lib/many.rego"] = "package scanflow.strategies.many\n\n" + rules.String() + "propose contains {\"primitive\": \"annotate\", \"with\": {}, \"reason\": \"r\", \"because\": []} if data.many.read == 2\n"
	dir := t.TempDir()
	write(t, dir, files)
	require.NoError(t, judged(t, dir, nil))
	src, err := source.ReadDir(dir)
	require.NoError(t, err)
	rev, err := Draft(t.Context(), src)
	require.NoError(t, err)
	said := messages(rev.Unused())
	require.Contains(t, said, "many/data.json: no rule refers to data.many.k00019, which has no effect")
	require.NotContains(t, said, "k00020")
	require.Contains(t, said, "no rule refers to 49980 more values of data")
	require.Contains(t, said, "1980 more rules and packages have no effect")
	require.Len(t, rev.Unused(), 2*(source.MaxNamed+1))

	again := with(files, "other.rego", "package scanflow.lib.other\n", "data.json", `{"many": {`+data.String()+`"more": 1}}`)
	write(t, dir, again)
	require.ErrorContains(t, judged(t, dir, nil), "49980 more values are set by another data file too")
}
