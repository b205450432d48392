package valuetypes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"
)

// sample is the schema of a document with a signal, a value of any type and params.
var sample = map[string]any{"type": "object", "properties": map[string]any{
	"now_ns": map[string]any{"type": "integer"},
	"any":    map[string]any{},
	"labels": map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}},
	"mixed":  map[string]any{"anyOf": []any{map[string]any{"type": "null"}, map[string]any{"type": []any{"number", "string"}}}},
	"signals": map[string]any{"type": "object", "properties": map[string]any{"load": map[string]any{
		"type": "object", "additionalProperties": false,
		"properties": map[string]any{"state": map[string]any{"type": "string", "enum": []any{"ok", "stale"}}, "value": map[string]any{"type": "number"}},
	}}},
	"params": map[string]any{"type": "object", "properties": map[string]any{
		"limit": map[string]any{"type": "number"}, "windows": map[string]any{"type": "array", "items": map[string]any{"type": "object", "properties": map[string]any{"from": map[string]any{"type": "string"}}}},
	}},
}}

// check checks all rules of a module, whose first rule is on line 3.
func check(t testing.TB, rules string, data map[string]ast.Value) Report {
	t.Helper()
	compiler, err := ast.CompileModules(map[string]string{"p.rego": "package p\n\n" + rules + "\n"})
	require.NoError(t, err)
	return Check(Policies{
		Compiler: compiler, Rules: compiler.Modules["p.rego"].Rules, Schema: sample, Ignore: func(*ast.Module) bool { return false },
		Data: func(path []string) ast.Value { return data[strings.Join(path, ".")] },
	})
}

// Where a type is not known nothing is judged, and the place is in the list of those.
func TestWhatCannotBeKnownIsSkipped(t *testing.T) {
	for name, rules := range map[string]string{
		"a value of any type":        `r if input.any > 3`,
		"below such a value":         `r if input.any.x.y == "a"`,
		"an element of one":          "r if {\n\tsome x in input.any\n\tx > 3\n}",
		"a member of one":            `r if "a" in input.any`,
		"the result of a function":   `r if json.unmarshal(input.labels.a) > 3`,
		"a part of such a result":    `r if object.union(input.labels, {}).x > 3`,
		"with":                       "r if q with input.signals as 3\n\nq if input.now_ns > 3",
		"a type that is asked for":   "r if {\n\ttype_name(input.now_ns) == \"string\"\n\tinput.now_ns.x > 3\n}",
		"a type that is tested for":  "r if {\n\tis_object(input.now_ns)\n\tinput.now_ns.x > 3\n}",
		"one that is not wanted":     "r if {\n\tnot is_number(input.now_ns)\n\tinput.now_ns.x > 3\n}",
		"tested in a comprehension":  "r if count([x | x := input.now_ns; is_string(x); x.y > 3]) == 0",
		"a rule of a computed name":  "r if {\n\tsome name in {\"a\", \"b\"}\n\tdata.p.of[name].x > 3\n}\n\nof.a := 1\n\nof.b := 2",
		"an operand of arithmetic":   `r if input.any + 1 > 3`,
		"a function called too much": "r if {\n" + calls(maxContexts+1) + "}\n\nf(x) := x.y",
	} {
		t.Run(name, func(t *testing.T) {
			report := check(t, rules, nil)
			require.Empty(t, report.Findings)
			require.NotEmpty(t, report.Skipped)
			require.True(t, report.Complete)
		})
	}
}

// calls are lines that call f with objects of different fields.
func calls(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "\tf({\"k%d\": %d})\n", i, i)
	}
	return b.String()
}

// A test of a type says something of the expressions after it in its own body, and only where
// it must hold. A list may be empty.
func TestWhatATestLeavesOpen(t *testing.T) {
	for name, body := range map[string]string{
		"its result is a value":          "text := is_string(x)\n\ttext == false\n\tx + 1 > 3",
		"its result is compared":         "is_string(x) == false\n\tx + 1 > 3",
		"its result is in a list":        "false in [is_string(x), is_null(x)]\n\tx + 1 > 3",
		"in an array comprehension":      "texts := [x | is_string(x)]\n\tcount(texts) == 0\n\tx + 1 > 3",
		"in a set comprehension":         "texts := {x | is_string(x)}\n\tcount(texts) == 0\n\tx + 1 > 3",
		"in an object comprehension":     "texts := {\"a\": x | is_string(x)}\n\tcount(texts) == 0\n\tx + 1 > 3",
		"in a negation":                  "not count([1 | is_string(x)]) > 0\n\tx + 1 > 3",
		"in every":                       "every v in input.labels {\n\t\tis_string(x)\n\t\tv == x\n\t}\n\tx + 1 > 3",
		"an empty list":                  "some y in []\n\ty.z > x",
		"an element of an empty list":    "list := [y | some y in []]\n\tlist[0] > x",
		"every element of an empty list": "every y in [] { y.z > x }",
		"an element of an empty set":     "some y in set()\n\ty.z > x",
		"the first of a list by default": "list := object.get(input.params, \"list\", [])\n\tlist[0].z > x",
		"elements of a list by default":  "some i, y in object.get(input.params, \"list\", [])\n\ti + y.z > x",
	} {
		t.Run(name, func(t *testing.T) {
			rules := "r if {\n\tx := limit\n\t" + body + "\n}\n\nlimit := \"none\" if input.labels.a == \"b\"\n\nlimit := 5 if input.labels.a != \"b\""
			require.Empty(t, check(t, rules, nil).Findings)
		})
	}
	for _, body := range []string{"is_string(x)\n\tx + 1 > 3", "not is_number(x)\n\tx + 1 > 3", "count([y | is_string(x); y := x + 1]) > 0"} {
		rules := "r if {\n\tx := limit\n\t" + body + "\n}\n\nlimit := \"none\" if input.labels.a == \"b\"\n\nlimit := 5 if input.labels.a != \"b\""
		require.Len(t, check(t, rules, nil).Findings, 1, body)
	}
}

// What is known and in order is neither a finding nor skipped.
func TestWhatIsKnown(t *testing.T) {
	for _, rules := range []string{
		`r if input.now_ns > 3`, `r if input.labels.a == "b"`, `r if input.mixed > 3`, `r if input.mixed == "a"`,
		`r if input.signals.load.state == "ok"`, "r if {\n\tsome name, s in input.signals\n\tname == \"load\"\n\ts.value > 3\n}",
		"r if f(input.signals.load)\n\nf(x) if x.value > 3", "r if m.a > 3\n\nm[k] := count(v) if some k, v in input.labels",
	} {
		report := check(t, rules, nil)
		require.Empty(t, report.Findings, rules)
		require.Empty(t, report.Skipped, rules)
	}
}

// Settings are not compared with ==, and a part that one lacks may be in another.
func TestSettings(t *testing.T) {
	data := map[string]ast.Value{"limits": ast.MustInterfaceToValue(map[string]any{"most": 4, "names": []any{"a"}, "mode": "slow"})}
	require.Empty(t, check(t, "r if {\n\tdata.limits.mode == \"fast\"\n\tdata.limits.mode != 3\n\tsome w in input.params.windows\n\tnot w.days\n\tobject.get(w, \"to\", \"\") != 3\n}", data).Findings)
	require.Equal(t, `p.rego:3:6: data.limits.most > "3" is always false: a number is below every string; write 3 without quotes`, check(t, `r if data.limits.most > "3"`, data).Findings[0].Error())
	require.Equal(t, `p.rego:5:2: name > 3 is always true: a string is above every number; compare values of one type; to_number(x) reads a number from a string`,
		check(t, "r if {\n\tsome name in data.limits.names\n\tname > 3\n}", data).Findings[0].Error())
}

// A clause after else has the parameters of the function.
func TestElse(t *testing.T) {
	report := check(t, "r if f(input.signals.load) == 1\n\nf(x) := 1 if {\n\tx.value > 3\n} else := 2 if {\n\tx.valeu > 3\n}", nil)
	require.Len(t, report.Findings, 1)
	require.Equal(t, `p.rego:8:2: undefined ref: x.valeu: x has no field "valeu", as p.rego:3 calls it; did you mean x.value?`, report.Findings[0].Error())
}

// A call is a mistake of a function only if all calls have it.
func TestCallsOfAFunction(t *testing.T) {
	f := "\n\nf(x) := x.value"
	require.Empty(t, check(t, "r if f(input.signals.load) > 1\n\nq if f({\"state\": 1})"+f, nil).Findings)
	require.Len(t, check(t, "r if f({\"a\": 1}) > 1\n\nq if f({\"b\": 1})"+f, nil).Findings, 1)
	require.Empty(t, check(t, "r if f({\"a\": 1}) > 1\n\nq if f(input.any)"+f, nil).Findings)
	require.Empty(t, check(t, "r if 1 > 0"+f, nil).Findings, "nobody calls it")
}

// Policies that nest what they build are checked within the limits.
func TestHostileTypes(t *testing.T) {
	var nested, wide, chain strings.Builder
	nested.WriteString("a0 := {\"x\": input.now_ns}\n\n")
	wide.WriteString("r if {\n")
	for i := range 60 {
		fmt.Fprintf(&nested, "a%d := {\"x\": a%d, \"y\": a%d, \"z\": [a%d, a%d]}\n\n", i+1, i, i, i, i)
	}
	nested.WriteString("r if a60 != a59\n\nq if [a60, a59][_].z[_].y.x > a58")
	for i := range 300 {
		fmt.Fprintf(&wide, "\tx%d := {%s}\n\ty%d := [x%d, x%d][_]\n\ty%d.k1 > 0\n", i, fields(i), i, i, max(0, i-1), i)
	}
	wide.WriteString("}")
	for i := range maxNesting + 50 {
		fmt.Fprintf(&chain, "c%d := c%d\n\n", i, i+1)
	}
	fmt.Fprintf(&chain, "c%d := input.signals.load\n\nr if c0 > 3", maxNesting+50)
	for name, rules := range map[string]string{"nested": nested.String(), "wide": wide.String(), "a chain": chain.String()} {
		t.Run(name, func(t *testing.T) { require.Empty(t, check(t, rules, nil).Findings) })
	}
}

func fields(from int) string {
	var out []string
	for i := range 100 {
		out = append(out, fmt.Sprintf("\"k%d\": %d", from+i, i))
	}
	return "\"k1\": 1, " + strings.Join(out, ", ")
}
