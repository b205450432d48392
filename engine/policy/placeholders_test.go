package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A name in braces in a string of a proposal is no variable.
func TestPlaceholdersInAProposalAreMistakes(t *testing.T) {
	const fix = "; write sprintf(\"stuck_%v\", [name])"
	for name, c := range map[string]struct{ with, body, rules, says string }{
		"in with":              {`{"metric": "stuck_{name}"}`, "", "", `x.rego:3:65: "stuck_{name}" is this text as it stands: Rego puts no value in place of {name}` + fix},
		"in the type of event": {`{"type": "dev.{input.target.name}.stuck"}`, "", "", `write sprintf("dev.%v.stuck", [input.target.name])`},
		"two":                  {`{"x": "{a}{b}-{c[0]}"}`, "", "", `write sprintf("%v%v-%v", [a, b, c[0]])`},
		"nested":               {`{"data": {"of": [{"x": "stuck_{name}"}]}}`, "", "", fix},
		"of a variable":        {`x`, `x := {"metric": "stuck_{name}"}`, "", fix},
		"of a rule":            {`x`, "", `x := {"metric": "stuck_{name}"}`, fix},
		"of a rule's variable": {`x`, "", "x := y if {\n\ty := {\"metric\": \"stuck_{name}\"}\n}", fix},
		"of a function":        {`x("a")`, "", `x(name) := {"metric": "stuck_{name}"} if name != ""`, fix},
		"of an else":           {`x`, "", `x := {} if input.a else := {"metric": "stuck_{name}"}`, fix},
		"with a percent sign":  {`{"metric": "{name} is 50%"}`, "", "", "build the string by sprintf or concat"},
		"a template":           {`{"text": "{{name}} ${name} %{name} {{.name}} {.name} {3} {} { name } {a: 1} \\{name}"}`, "", "", ""},
		"an object to apply":   {`{"object": {"kind": "Route", "spec": {"path": "/users/{id}"}}}`, "", "", ""},
		"filled in":            {`{"metric": replace("stuck_{name}", "{name}", "a")}`, "", "", ""},
		"formatted":            {`{"metric": sprintf("stuck_%v", ["{name}"])}`, "", "", ""},
		"a template string":    {`{"metric": $"stuck_{name}"}`, "name := input.target.name", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := ""
			if c.body != "" {
				body = " if {\n\t" + c.body + "\n}"
			}
			_, err := Compile(t.Context(), sourceOf(t, one(`propose contains {"primitive": "event.send", "with": `+c.with+`, "reason": "r", "because": []}`+body+"\n\n"+c.rules)), Options{})
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
	for key, says := range map[string]string{
		`"{name}_is_frozen"`:              `write sprintf("%v_is_frozen", [name])`,
		`sprintf("%v_is_frozen", ["ab"])`: "",
	} {
		_, err := Compile(t.Context(), sourceOf(t, map[string]string{"g.rego": "package scanflow.guards.g\n\ndeny contains " + key + " if input.proposal.primitive == \"scale\"\n"}), Options{})
		if says == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, says)
		}
	}
	_, err := Compile(t.Context(), sourceOf(t, one(`propose contains {"primitive": "p", "reason": "{name}_busy", "because": []}`)), Options{})
	require.ErrorContains(t, err, `write sprintf("%v_busy", [name])`)
}
