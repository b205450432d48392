package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// undefinedIn is a strategy with a body and other rules, beside data and a library.
func undefinedIn(body, rules string) map[string]string {
	return with(one("propose contains {\"primitive\": \"p\", \"with\": {\"x\": 1}, \"reason\": \"r\", \"because\": []} if {\n"+body+"\n}\n\n"+rules+"\n"),
		"limits/data.yaml", "most: 4\nper: {web: 1}", "lib.rego", "package scanflow.lib.y\n\nz := {\"a\": 1}\n\nf(x) := x\n")
}

// A rule that reads data which nothing defines never holds.
func TestDataThatNothingDefinesIsAMistake(t *testing.T) {
	const never = ", so that this rule never holds; "
	for ref, says := range map[string]string{
		"data.limitz":                        "data.limitz is defined by no rule and by no data file" + never + "did you mean data.limits?",
		"data.limits.mots":                   "data.limits.mots is defined by no rule and by no data file" + never + "did you mean data.limits.most?",
		"data.limitz[input.target.name]":     "data.limitz is defined" + " by no rule and by no data file" + never + "did you mean data.limits?",
		"data.scanflow.lib.x":                "data.scanflow.lib.x is defined by no rule and by no data file" + never + "did you mean data.scanflow.lib.y?",
		"data.scanflow.lib.y.quota":          "data.scanflow.lib.y.quota is defined by no rule and by no data file" + never + "correct the name, or add a data.json or data.yaml at its place; where it may be absent, read it in a rule with a default",
		"data.limits.most":                   "",
		"data.limits.per[input.target.name]": "",
		"data.limits":                        "",
		"data.scanflow.lib.y.z.a":            "",
		"data.scanflow.lib.y.f(1)":           "",
		"data.scanflow.lib":                  "",
	} {
		t.Run(ref, func(t *testing.T) {
			_, err := Compile(t.Context(), sourceOf(t, undefinedIn("\tx := "+ref+"\n\tx != 1", "")), Options{})
			if says == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, "x.rego:4:7: "+says)
			}
		})
	}
}

// It is a mistake where the rule needs it, and a warning elsewhere.
func TestWhereDataIsNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		body, rules string
		mistake     bool
	}{
		"compared":                    {"\tdata.none.x > 1", "", true},
		"an argument":                 {"\tcount(data.none.x) > 1", "", true},
		"of object.get":               {"\tobject.get(data.none, \"x\", 1) == 1", "", true},
		"iterated":                    {"\tsome x in data.none\n\tx == 1", "", true},
		"the domain of every":         {"\tevery x in data.none { x == 1 }", "", true},
		"by a rule":                   {"\tbound > 1", "bound := data.none.x", true},
		"by a rule that is not":       {"\tnot off", "off if data.none.x", true},
		"an element of a set":         {"\tinput.target.name in names", "names contains x if some x in data.none", true},
		"an element of an object":     {"\tnames.x == 1", "names[x] := 1 if some x in data.none", true},
		"by a function":               {"\tbound(1) == 1", "bound(x) := data.none[x]", true},
		"in a negation":               {"\tnot data.none.x", "", false},
		"in a comprehension":          {"\tcount([x | some x in data.none]) == 0", "", false},
		"in every":                    {"\tevery x in [1] { x < data.none.x }", "", false},
		"with a default":              {"\tbound > 1", "default bound := 2\n\nbound := data.none.x", false},
		"with an else":                {"\tbound > 1", "bound := data.none.x if true\nelse := 2", false},
		"with another rule":           {"\tbound > 1", "bound := 3 if input.target.name == \"a\"\n\nbound := data.none.x", false},
		"by a rule that is not asked": {"\ttrue", "idle if data.none.x", false},
		"set by with":                 {"\tbound with data.limits as {}", "bound if input.target.name == \"a\"", false},
	} {
		t.Run(name, func(t *testing.T) {
			src := sourceOf(t, undefinedIn(c.body, c.rules))
			_, err := Compile(t.Context(), src, Options{})
			if c.mistake {
				require.ErrorContains(t, err, "is defined by no rule and by no data file, so that this rule never holds")
				return
			}
			require.NoError(t, err)
		})
	}
	rev := compiled(t, undefinedIn("\tnot data.none.x", ""), Options{})
	require.Contains(t, messages(rev.Warnings()), "x.rego:4:6: data.none.x is defined by no rule and by no data file; correct the name, or add a data.json or data.yaml at its place")
}

// Tests may set data that nothing defines.
func TestTestsSetData(t *testing.T) {
	files := with(undefinedIn("\tnot data.none.x", ""), "x_test.rego", "package scanflow.strategies.x_test\n\ntest_x if data.none.x with data.none as {\"x\": 1}\n")
	_, err := Candidate(t.Context(), sourceOf(t, files), Options{})
	require.NoError(t, err)
}
