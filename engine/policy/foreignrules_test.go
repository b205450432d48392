package policy

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Each of these changed a guard from outside of its package, without a word.
func TestNoRuleReachesIntoAnotherPackage(t *testing.T) {
	layers := "defines a part of package scanflow.guards.layers"
	for name, c := range map[string]struct{ file, text, want string }{
		"a helper of a guard that ships":        {"m.rego", "package scanflow.guards\n\nlayers.application if true\n", "m.rego:3:1: layers.application in package scanflow.guards " + layers + "; write it in a file of that package"},
		"from the package above":                {"m.rego", "package scanflow\n\nguards.layers.application if true\n", layers},
		"its deny":                              {"m.rego", "package scanflow.guards\n\nlayers.deny contains \"x\"\n", layers},
		"in a test file":                        {"m_test.rego", "package scanflow.guards\n\nlayers.application if true\n", layers},
		"in a test package":                     {"m.rego", "package scanflow.guards.a_test\n\ntest_x if true\n\ndeny.x if true\n", ""},
		"a guard of its own":                    {"m.rego", "package scanflow.guards\n\nmine.deny contains \"x\" if input.proposal.primitive == \"p\"\n", "mine.deny in package scanflow.guards defines a part of package scanflow.guards.mine; write it in a file of that package"},
		"a strategy":                            {"m.rego", "package scanflow.strategies\n\na.b.propose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n", "defines a part of package scanflow.strategies.a"},
		"from a guard into a guard below":       {"m.rego", "package scanflow.guards.a\n\ndeny contains \"x\" if input.proposal.primitive == \"p\"\n\nb.deny contains \"y\"\n", "b.deny in package scanflow.guards.a defines a part of package scanflow.guards.a.b (b.rego)"},
		"from a strategy into one below":        {"m.rego", "package scanflow.strategies.s\n\nt.limit := 3\n", "t.limit in package scanflow.strategies.s defines a part of package scanflow.strategies.s.t (t.rego)"},
		"into a library of the same source":     {"m.rego", "package scanflow.lib\n\ny.z := 1\n", ""},
		"a helper with parts":                   {"m.rego", "package scanflow.lib.q\n\nlimits.most := 1\n", ""},
		"a helper of all guards":                {"m.rego", "package scanflow.guards\n\nsmall if input.proposal.with.replicas < 3\n", ""},
		"a helper with parts in a guard":        {"m.rego", "package scanflow.guards.q\n\nlimits.most := 1\n\ndeny contains \"x\" if input.proposal.with.replicas > limits.most\n", ""},
		"a rule of the same name in a test":     {"m_test.rego", "package scanflow.lib.y\n\nf := 3\n", "m_test.rego:3:1: a rule of a test file adds to scanflow.lib.y.f, which counts outside of tests (lib.rego:3)"},
		"a deny of the guard in a test":         {"m_test.rego", "package scanflow.guards.a.b\n\ndeny contains \"z\"\n", "a rule of a test file adds to scanflow.guards.a.b.deny"},
		"a helper of its own in a test":         {"m_test.rego", "package scanflow.lib.y\n\nmock := 3\n\ntest_it if mock == 3\n", ""},
		"a guard in a test file":                {"load_test.rego", "package scanflow.guards.load\n\ndeny contains \"z\"\n", "load_test.rego:3:1: deny in package scanflow.guards.load binds nobody: its file ends with _test.rego, so that it is a test; rename the file"},
		"a guard that is called a test":         {"g.rego", "package scanflow.guards.load_test\n\ndeny contains \"z\"\n", "deny in package scanflow.guards.load_test binds nobody: its package ends with _test, and has no rule test_..., so that it is a test; rename the package"},
		"a strategy that is called a test":      {"x_load_test.rego", "package scanflow.strategies.load_test\n\npropose contains \"z\"\n", "propose in package scanflow.strategies.load_test binds nobody"},
		"a test with a rule of the name":        {"m_test.rego", "package scanflow.guards.a.b_test\n\ndeny contains \"z\"\n\ntest_it if count(deny) == 1\n", ""},
		"parts of a test's package that has it": {"m_test.rego", "package scanflow.guards.a.b_test\n\ncases.deny := 3\n\ntest_it if cases.deny == 3\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := one("propose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n")
			files["t.rego"] = "package scanflow.strategies.s.t\n\npropose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n"
			files["lib.rego"] = "package scanflow.lib.y\n\nf := 3\n"
			files["b.rego"] = "package scanflow.guards.a.b\n\ndeny contains \"x\" if input.proposal.primitive == \"q\"\n"
			files[c.file] = c.text
			_, err := Candidate(t.Context(), source.Join(folder(t, "a", files), ships(t)), Options{})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A package is in one source, though OPA lets a rule of another define a part of it.
func TestNoSourceReachesIntoAnother(t *testing.T) {
	a := folder(t, "a", with(basic(), "lib/y.rego", "package scanflow.lib.y\n\nf := 3\n"))
	b := folder(t, "b", map[string]string{"m.rego": "package scanflow.lib\n\ny.g := 4\n"})
	_, err := Candidate(t.Context(), source.Join(a, b, ships(t)), Options{})
	require.ErrorContains(t, err, "b/m.rego:3:1: y.g in package scanflow.lib defines a part of package scanflow.lib.y (a/lib/y.rego); write it in that package's own source, or rename it")
}

// Data at the place of a rule that binds is asked by nobody.
func TestDataBindsNobody(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"a deny":           {"data.json", `{"scanflow": {"guards": {"x": {"deny": ["no"]}}}}`, "data.json: data.scanflow.guards.x.deny is data, and binds nobody; write a rule in Rego"},
		"deeper":           {"scanflow/guards/data.yaml", "a: {b: {deny: [x]}}", "scanflow/guards/data.yaml: data.scanflow.guards.a.b.deny is data"},
		"a propose":        {"data.json", `{"scanflow": {"strategies": {"x": {"propose": []}}}}`, "data.scanflow.strategies.x.propose is data"},
		"values of a rule": {"scanflow/guards/x/data.json", `{"most": 3}`, ""},
		"another tree":     {"data.json", `{"scanflow": {"site": {"deny": ["a"]}}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Candidate(t.Context(), sourceOf(t, with(basic(), c.file, c.text)), Options{})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}
