package agentcheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy/valuetypes"
)

// sampleSchema is the schema of the sample agent's document, as JSON has it.
func sampleSchema(t *testing.T) map[string]any {
	t.Helper()
	agents, err := manifest.Read([]string{"testdata/types/agent.yaml"}, agentspec.Kinds())
	require.NoError(t, err)
	schema := manifest.DocumentSchema(agents[0])
	return schema
}

// someJSON is any value.
func someJSON() *rapid.Generator[any] {
	return rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Map(rapid.IntRange(-3, 9), func(n int) any { return n }),
		rapid.Map(rapid.SampledFrom([]string{"", "5", "ok", "missing", "a"}), func(s string) any { return s }), rapid.Just[any]([]any{1, "a"}), rapid.Just[any](map[string]any{"value": 3, "at": 5}))
}

// valueOf draws a value of a schema. A field that is not required may be absent.
func valueOf(t *rapid.T, schema map[string]any) any {
	if of, ok := schema["anyOf"].([]any); ok {
		return valueOf(t, of[rapid.IntRange(0, len(of)-1).Draw(t, "member")].(map[string]any))
	}
	switch schema["type"] {
	case "null":
		return nil
	case "boolean":
		return rapid.Bool().Draw(t, "boolean")
	case "number", "integer":
		return rapid.IntRange(-3, 9).Draw(t, "number")
	case "string":
		if enum, ok := schema["enum"].([]any); ok {
			return rapid.SampledFrom(enum).Draw(t, "word")
		}
		return rapid.SampledFrom([]string{"", "5", "ok", "missing", "a", "mon"}).Draw(t, "text")
	case "array":
		out := []any{}
		items, _ := schema["items"].(map[string]any)
		for range rapid.IntRange(0, 2).Draw(t, "items") {
			out = append(out, valueOf(t, items))
		}
		return out
	case "object":
		out := map[string]any{}
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range slices.Sorted(mapsKeys(properties)) {
			property := properties[name].(map[string]any)
			if _, none := property["not"]; !none && (slices.Contains(required, any(name)) || rapid.IntRange(0, 2).Draw(t, name) > 0) {
				out[name] = valueOf(t, property)
			}
		}
		if more, ok := schema["additionalProperties"].(map[string]any); ok && len(properties) == 0 {
			for _, key := range []string{"a", "replicas"} {
				if rapid.Bool().Draw(t, key) {
					out[key] = valueOf(t, more)
				}
			}
		}
		return out
	}
	return someJSON().Draw(t, "any")
}

func mapsKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// pathIn draws a reference below `input`, that may be wrong.
func pathIn(t *rapid.T, schema map[string]any) string {
	at := "input"
	for range rapid.IntRange(1, 6).Draw(t, "depth") {
		properties, _ := schema["properties"].(map[string]any)
		more, _ := schema["additionalProperties"].(map[string]any)
		items, _ := schema["items"].(map[string]any)
		switch names := slices.Sorted(mapsKeys(properties)); {
		case len(names) > 0:
			name := rapid.SampledFrom(names).Draw(t, "key")
			schema, _ = properties[name].(map[string]any)
			if rapid.IntRange(0, 9).Draw(t, "wrong") == 0 {
				name = rapid.SampledFrom([]string{"at", "value", "x", name + "s"}).Draw(t, "key that may be wrong")
				schema = nil
			}
			at += fmt.Sprintf("[%q]", name)
		case more != nil:
			at, schema = at+rapid.SampledFrom([]string{`["a"]`, `["replicas"]`, "[_]"}).Draw(t, "key of a map"), more
		case items != nil:
			at, schema = at+rapid.SampledFrom([]string{"[0]", "[_]", `["a"]`}).Draw(t, "item"), items
		case rapid.Bool().Draw(t, "end"):
			return at
		default:
			at += rapid.SampledFrom([]string{`["value"]`, "[0]", "[_]"}).Draw(t, "part")
			schema = nil
		}
	}
	return at
}

// ruleOn draws a rule r whose elements are the values of one comparison.
func ruleOn(t *rapid.T, schema map[string]any, r string) string {
	literal := func() string {
		return rapid.SampledFrom([]string{"5", "-1", `"5"`, `"ok"`, `"missing"`, `"done"`, "true", "null", `[1]`, `{"value": 3}`, `{"ok", "failed"}`}).Draw(t, "literal")
	}
	a, b := pathIn(t, schema), pathIn(t, schema)
	if rapid.Bool().Draw(t, "with a literal") {
		b = literal()
	}
	if rapid.IntRange(0, 4).Draw(t, "swap") == 0 {
		a, b = b, a
	}
	sign := rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="}).Draw(t, "sign")
	key := rapid.SampledFrom([]string{"value", "at_ns", "state", "valeu", "x"}).Draw(t, "key")
	switch rapid.IntRange(0, 10).Draw(t, "form") {
	case 0:
		return fmt.Sprintf("%s contains v if { x := %s; y := %s; v := x %s y }", r, a, b, sign)
	case 1:
		return fmt.Sprintf("%s contains v if v := f_%s(%s)\nf_%s(x) := x.%s %s %s", r, r, a, r, key, sign, literal())
	case 2:
		return fmt.Sprintf("%s contains v if v := f_%s(%s, %s)\nf_%s(x, y) := x %s y", r, r, a, b, r, sign)
	case 3:
		return fmt.Sprintf("%s contains v if { some x in %s; v := x %s %s }", r, a, sign, literal())
	case 4:
		return fmt.Sprintf("%s contains v if { some k, x in %s; v := x.%s %s k }", r, a, key, sign)
	case 5:
		return fmt.Sprintf("%s contains v if v := object.get(%s, %q, %s) %s %s", r, a, key, literal(), sign, b)
	case 6:
		return fmt.Sprintf("%s contains v if v := %s in [%s, %s]", r, a, b, literal())
	case 7:
		return fmt.Sprintf("%s contains v if v := %s in %s", r, literal(), a)
	case 8:
		return fmt.Sprintf("%s contains v if v := %s + 1 %s %s", r, a, sign, b)
	case 9:
		return fmt.Sprintf("%s contains v if { some o in o_%s; v := o.x %s %s }\no_%s contains {\"x\": %s}", r, r, sign, b, r, a)
	}
	return fmt.Sprintf("%s contains v if v := %s %s %s", r, a, sign, b)
}

// What is said of an expression is true for random documents of the schema, as OPA
// evaluates it.
func TestWhatIsSaidOfAnExpressionHolds(t *testing.T) {
	schema := sampleSchema(t)
	judged := map[valuetypes.Outcome]int{}
	rapid.Check(t, func(t *rapid.T) {
		lines, rules := []string{"package p", ""}, map[int]string{}
		for i := range 8 {
			r := fmt.Sprintf("r%d", i)
			for _, line := range strings.Split(ruleOn(t, schema, r), "\n") {
				lines = append(lines, line)
				rules[len(lines)] = r
			}
		}
		text := strings.Join(lines, "\n")
		compiler, err := ast.CompileModules(map[string]string{"p.rego": text})
		if err != nil {
			t.Skip(err) // such as a comparison of constants
		}
		report := valuetypes.Check(valuetypes.Policies{
			Compiler: compiler, Rules: compiler.Modules["p.rego"].Rules, Schema: schema,
			Data: func([]string) ast.Value { return nil }, Ignore: func(*ast.Module) bool { return false },
		})
		query, err := rego.New(rego.Query("data.p"), rego.Compiler(compiler)).PrepareForEval(t.Context())
		require.NoError(t, err)
		for range 6 {
			document := valueOf(t, schema)
			results, err := query.Eval(t.Context(), rego.EvalInput(document))
			require.NoError(t, err)
			for _, f := range report.Findings {
				judged[f.Outcome]++
				got := results[0].Expressions[0].Value.(map[string]any)[rules[f.Line]].([]any)
				says := fmt.Sprintf("%s\n%s\n%v", f.Error(), lines[f.Line-1], document)
				switch f.Outcome {
				case valuetypes.Undefined:
					require.Empty(t, got, says)
				case valuetypes.AlwaysTrue:
					require.NotContains(t, got, false, says)
				case valuetypes.AlwaysFalse:
					require.NotContains(t, got, true, says)
				}
			}
		}
	})
	for _, outcome := range []valuetypes.Outcome{valuetypes.Undefined, valuetypes.AlwaysTrue, valuetypes.AlwaysFalse} {
		require.Greater(t, judged[outcome], 100, "too few expressions were judged to be %d", outcome)
	}
}
