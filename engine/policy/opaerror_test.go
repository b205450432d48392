package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What OPA words for its own authors has a fix.
func TestErrorsOfTheCompilerHaveAFix(t *testing.T) {
	const propose = "\npropose contains {\"primitive\": \"scale\", \"with\": {\"replicas\": 3}, \"reason\": \"x\", \"because\": []} if "
	for rego, says := range map[string]string{
		propose + "inputs.params.low > 3":            "var inputs is unsafe; did you mean input?",
		propose + "load > 3":                         "var load is unsafe; load has no value here: correct its name, define a rule load in this package, or assign it first, as load := input.signals.NAME.value",
		"f(x) := x\n" + propose + "f(1, 2) == 3":     "has arity 1, got 2 arguments; call it with 1 argument, not 2",
		propose + "max(1, 2) > 1":                    "call it with as many arguments as `want` lists",
		"a if b\n\nb if a\n" + propose + "a":         "break the circle: a rule can't depend on itself",
		"a := 1\n\na contains 2\n" + propose + "a":   "give all rules of this name one form",
		propose + "object.values({}) == []":          "undefined function object.values; correct the name",
		propose + "data.scanflow.lib.schedul.f(1)":   "undefined function data.scanflow.lib.schedul.f; correct the name, or define the function; a library",
		propose + "to_number(input.now_ns, 2) == 1":  "call it with as many arguments as `want` lists",
		propose + "round(\"3\") == 3":                "pass what `want` lists, in that order",
		"[a, b] := [1, 2]\n" + propose + "a == 1":    "begin the rule with a name, as `name := value`",
		propose + "http.send({}).status_code == 200": "it is switched off: let a sensor fetch it",
	} {
		t.Run(says, func(t *testing.T) {
			_, err := Compile(t.Context(), sourceOf(t, one(rego+"\n")), Options{})
			require.ErrorContains(t, err, says)
		})
	}
}
