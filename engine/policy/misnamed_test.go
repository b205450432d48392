package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Each of these was taken, and bound nobody.
func TestRulesThatBindNobodyAreRefused(t *testing.T) {
	const deny, propose = "deny contains \"no\" if input.proposal.primitive == \"scale\"\n", "propose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n"
	meant := func(pkg string) string { return "did you mean package " + pkg + "?" }
	for name, c := range map[string]struct{ text, want string }{
		"guard for guards":              {"package scanflow.guard.x\n\n" + deny, "m.rego:3:1: deny in package scanflow.guard.x binds nobody: deny rules are asked in packages scanflow.guards.NAME alone; " + meant("scanflow.guards.x")},
		"guards misspelt":               {"package scanflow.gaurds.x\n\n" + deny, meant("scanflow.guards.x")},
		"guards in capitals":            {"package scanflow.Guards.x\n\n" + deny, meant("scanflow.guards.x")},
		"guards without a name":         {"package scanflow.guards\n\n" + deny, meant("scanflow.guards.NAME")},
		"guards without scanflow":       {"package guards.x\n\n" + deny, meant("scanflow.guards.x")},
		"guards below data":             {"package data.scanflow.guards.x\n\n" + deny, meant("scanflow.guards.x")},
		"strategy for strategies":       {"package scanflow.strategy.x\n\n" + propose, "m.rego:3:1: propose in package scanflow.strategy.x binds nobody: propose rules are asked in packages scanflow.strategies.NAME alone; " + meant("scanflow.strategies.x")},
		"strategies without a name":     {"package scanflow.strategies\n\n" + propose, meant("scanflow.strategies.NAME")},
		"strategies without scanflow":   {"package strategies.a.b\n\n" + propose, meant("scanflow.strategies.a.b")},
		"scanflow in capitals":          {"package Scanflow.strategies.x\n\n" + propose, meant("scanflow.strategies.x")},
		"scanflow misspelt":             {"package scanfow.guards.x\n\n" + deny, meant("scanflow.guards.x")},
		"a library":                     {"package scanflow.lib.x\n\n" + deny, "deny in package scanflow.lib.x binds nobody: deny rules are asked in packages scanflow.guards.NAME alone; move it to such a package, or rename the rule; it may stay where a strategy or a guard refers to it"},
		"a package of another tool":     {"package main\n\n" + deny, "deny in package main binds nobody"},
		"a default":                     {"package app.authz\n\ndefault deny := false\n", "deny in package app.authz binds nobody"},
		"a propose elsewhere":           {"package site.rules\n\n" + propose, "propose in package site.rules binds nobody"},
		"a propose with parts":          {"package site.rules\n\npropose.a := 1\n", "propose in package site.rules binds nobody"},
		"a deny of a strategy":          {"package scanflow.strategies.x\n\n" + propose + "\n" + deny, "m.rego:5:1: deny in package scanflow.strategies.x binds nobody: deny rules are asked in packages scanflow.guards.NAME alone; move it to such a package"},
		"a propose of a guard":          {"package scanflow.guards.x\n\n" + deny + "\n" + propose, "propose in package scanflow.guards.x binds nobody"},
		"a propose that is misspelt":    {"package scanflow.strategies.x\n\n" + propose + "\npropse contains {\"primitive\": \"q\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n", "m.rego:5:1: propse in package scanflow.strategies.x binds nobody, and nothing refers to it; did you mean propose?"},
		"a deny that is misspelt":       {"package scanflow.guards.x\n\n" + deny + "\nDeny contains \"x\" if input.proposal.primitive == \"place\"\n", "Deny in package scanflow.guards.x binds nobody, and nothing refers to it; did you mean deny?"},
		"a denied":                      {"package scanflow.guards.x\n\n" + deny + "\ndenied contains \"x\" if input.proposal.primitive == \"place\"\n", "did you mean deny?"},
		"letters that changed places":   {"package scanflow.guards.x\n\n" + deny + "\ndney contains \"x\" if input.proposal.primitive == \"place\"\n", "dney in package scanflow.guards.x binds nobody, and nothing refers to it; did you mean deny?"},
		"a deny with more of a name":    {"package scanflow.guards.x\n\n" + deny + "\ndeny_place contains \"x\" if input.proposal.primitive == \"place\"\n", "deny_place in package scanflow.guards.x binds nobody"},
		"a violation":                   {"package scanflow.guards.x\n\n" + deny + "\nviolation contains \"x\" if input.proposal.primitive == \"place\"\n", "violation in package scanflow.guards.x binds nobody"},
		"an allow":                      {"package scanflow.guards.x\n\n" + deny + "\ndefault allow := false\n", "allow in package scanflow.guards.x binds nobody"},
		"a deny below a name":           {"package scanflow.guards.x\n\n" + deny + "\nweb.deny contains \"x\" if input.proposal.primitive == \"place\"\n", "web.deny in package scanflow.guards.x binds nobody"},
		"a propose with more of a name": {"package scanflow.strategies.x\n\n" + propose + "\npropose_more contains {\"primitive\": \"q\"}\n", "propose_more in package scanflow.strategies.x binds nobody"},
		"nearly a guard, though called": {"package scanflow.guard.x\n\n" + deny, meant("scanflow.guards.x")},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"m.rego": c.text}
			if name == "nearly a guard, though called" {
				files["g.rego"] = "package scanflow.guards.y\n\ndeny contains r if some r in data.scanflow.guard.x.deny\n"
			}
			_, err := Candidate(t.Context(), sourceOf(t, files), Options{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A rule of any name may be where somebody asks for it, and tests may have what they like.
func TestRulesThatAreReferredToAreTaken(t *testing.T) {
	const guard = "package scanflow.guards.y\n\ndeny contains r if some r in data.site.rules.deny\n"
	for name, files := range map[string]map[string]string{
		"a deny that a guard refers to":   {"g.rego": guard, "m.rego": "package site.rules\n\ndeny contains \"no\" if input.proposal.primitive == \"scale\"\n"},
		"in a library of ours":            {"g.rego": "package scanflow.guards.y\n\nimport data.scanflow.lib.x\n\ndeny contains r if some r in x.deny\n", "m.rego": "package scanflow.lib.x\n\ndeny contains \"no\" if input.proposal.primitive == \"scale\"\n"},
		"by way of another package":       {"g.rego": "package scanflow.guards.y\n\ndeny contains r if some r in data.site.all\n", "a.rego": "package site\n\nall contains r if some r in data.site.rules.deny\n", "m.rego": "package site.rules\n\ndeny contains \"no\" if input.proposal.primitive == \"scale\"\n"},
		"by a name that is computed":      {"g.rego": "package scanflow.guards.y\n\ndeny contains r if {\n\tsome x\n\tsome r in data.site[x].deny\n}\n", "m.rego": "package site.rules\n\ndeny contains \"no\" if input.proposal.primitive == \"scale\"\n"},
		"a propose that a strategy takes": {"g.rego": "package scanflow.strategies.y\n\npropose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": p.reason, \"because\": []} if some p in data.site.propose\n", "m.rego": "package site\n\npropose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n"},
		"an allow that deny refers to":    {"g.rego": "package scanflow.guards.y\n\ndeny contains \"no\" if not allow\n\nallow if input.proposal.primitive == \"p\"\n", "m.rego": "package scanflow.strategies.y\n\npropose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n"},
		"a helper that is nearly called":  {"g.rego": "package scanflow.strategies.y\n\npropose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": p.reason, \"because\": []} if some p in proposes\n\nproposes contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n"},
		"tests": {"g.rego": one("propose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n")["x.rego"],
			"m_test.rego": "package site_test\n\ndeny contains \"x\"\n\ntest_it if count(deny) == 1\n", "n_test.rego": "package scanflow.guard.x\n\ndeny contains \"x\"\n"},
		"a package of a similar name": {"g.rego": one("propose contains {\"primitive\": \"p\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n")["x.rego"], "m.rego": "package scanflow.guardian\n\nx := 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Candidate(t.Context(), sourceOf(t, files), Options{})
			require.NoError(t, err)
		})
	}
}
