package policy

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

const paramHelpers = `package scanflow.lib.h

limit := object.get(input.params, "limit", 7)

named(name) := input.params[name]

or_else(name, fallback) := object.get(input.params, name, fallback)

outer(name) := or_else(name, "x")

of(params) := params.a

all := input.params
`

func TestParamsAreFoundThroughWhateverARuleCalls(t *testing.T) {
	a := []string{"a"}
	number := func(by, literal string, path ...string) ParamDefault {
		return ParamDefault{By: by, Path: path, Type: "number", Literal: literal}
	}
	fallback := func(kind, literal string) []ParamDefault {
		return []ParamDefault{{By: "x", Path: a, Type: kind, Literal: literal}}
	}
	for name, c := range map[string]struct {
		condition string
		want      ParamReads
	}{
		"directly":                      {`input.params.a > 1`, ParamReads{Names: a}},
		"in brackets":                   {`input["params"]["a"] > 1`, ParamReads{Names: a}},
		"below it":                      {`input.params.a.b.c > 1`, ParamReads{Names: a}},
		"below it, computed":            {"some n\n\tinput.params.a[n] > 1", ParamReads{Names: a}},
		"by a local name of them":       {"p := input.params\n\tp.a > 1", ParamReads{Names: a}},
		"by a local name of it":         {"v := input.params.a\n\tv > 1", ParamReads{Names: a}},
		"the name is a constant":        {"n := \"a\"\n\tinput.params[n] > 1", ParamReads{Names: a}},
		"under not":                     {`not input.params.a`, ParamReads{Names: a}},
		"a function given the name":     {`h.named("a") > 1`, ParamReads{Names: a}},
		"a function given them":         {`h.of(input.params) > 1`, ParamReads{Names: a}},
		"a rule that is them":           {`h.all.a > 1`, ParamReads{Names: a}},
		"two":                           {`input.params.b > input.params.a`, ParamReads{Names: []string{"a", "b"}}},
		"none":                          {`input.target.name == "a"`, ParamReads{}},
		"as a whole":                    {`count(input.params) > 1`, ParamReads{Any: true}},
		"with the document":             {`count(input) > 1`, ParamReads{Any: true}},
		"by a computed name":            {`input.params[input.target.name] > 1`, ParamReads{Any: true}},
		"by any name":                   {"some n\n\tinput.params[n] > 1", ParamReads{Any: true}},
		"object.get by a computed name": {`object.get(input.params, input.target.name, 1) > 1`, ParamReads{Any: true}},
		"a function given a computed":   {`h.named(input.target.name) > 1`, ParamReads{Any: true}},
		"walked":                        {"walk(input.params, [_, v])\n\tv == 1", ParamReads{Any: true}},
		"united with defaults":          {`object.union({"a": 1}, input.params).a > 1`, ParamReads{Any: true}},
		"a number for a default":        {`object.get(input.params, "a", 4) > 1`, ParamReads{Names: a, Defaults: fallback("number", "4")}},
		"one below 0":                   {`object.get(input.params, "a", -1.5) > 1`, ParamReads{Names: a, Defaults: fallback("number", "-1.5")}},
		"text":                          {`object.get(input.params, "a", "b") == "b"`, ParamReads{Names: a, Defaults: fallback("string", `"b"`)}},
		"a boolean":                     {`not object.get(input.params, "a", false)`, ParamReads{Names: a, Defaults: fallback("boolean", "false")}},
		"a list":                        {`count(object.get(input.params, "a", [])) > 1`, ParamReads{Names: a, Defaults: fallback("array", "[]")}},
		"a mapping":                     {`count(object.get(input.params, "a", {})) > 1`, ParamReads{Names: a, Defaults: fallback("object", "{}")}},
		"null":                          {`object.get(input.params, "a", null) != null`, ParamReads{Names: a, Defaults: fallback("null", "null")}},
		"a set, which is no JSON":       {`count(object.get(input.params, "a", set())) > 1`, ParamReads{Names: a}},
		"a default that is computed":    {`object.get(input.params, "a", input.now_ns) > 1`, ParamReads{Names: a}},
		"a default by a local name":     {"d := 4\n\tobject.get(input.params, \"a\", d) > 1", ParamReads{Names: a, Defaults: fallback("number", "4")}},
		"object.get of the document":    {`object.get(input, ["params", "a"], 4) > 1`, ParamReads{Names: a, Defaults: fallback("number", "4")}},
		"object.get of a local name":    {"p := input.params\n\tobject.get(p, \"a\", 4) > 1", ParamReads{Names: a, Defaults: fallback("number", "4")}},
		"by a path":                     {`object.get(input.params, ["a", "b"], 4) > 1`, ParamReads{Names: a, Defaults: []ParamDefault{number("x", "4", "a", "b")}}},
		"below one":                     {`object.get(input.params.a, "b", 4) > 1`, ParamReads{Names: a, Defaults: []ParamDefault{number("x", "4", "a", "b")}}},
		"a function given both":         {`h.or_else("a", 4) > 1`, ParamReads{Names: a, Defaults: fallback("number", "4")}},
		"a function of a function":      {`h.outer("a") == "x"`, ParamReads{Names: a, Defaults: fallback("string", `"x"`)}},
		"another rule's":                {`h.limit > 1`, ParamReads{Names: []string{"limit"}, Defaults: []ParamDefault{number("x", "7", "limit")}}},
		"in a comprehension":            {`count([1 | object.get(input.params, "a", 4) > 1]) > 0`, ParamReads{Names: a, Defaults: fallback("number", "4")}},
		"the same twice":                {"object.get(input.params, \"a\", 4) > 1\n\tobject.get(input.params, \"a\", 3) > 1", ParamReads{Names: a, Defaults: fallback("number", "3")}},
		"as text and as a number":       {"object.get(input.params, \"a\", 4) != \"b\"\n\tobject.get(input.params, \"a\", \"\") != 1", ParamReads{Names: a, Defaults: append(fallback("number", "4"), fallback("string", `""`)...)}},
	} {
		t.Run(name, func(t *testing.T) {
			rev, err := Draft(context.Background(), sourceOf(t, map[string]string{
				"h.rego": paramHelpers,
				"x.rego": "package scanflow.strategies.x\n\nimport data.scanflow.lib.h\n\npropose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []} if {\n\t" + c.condition + "\n}\n\nuses := h.limit\n",
			}))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(c.want, rev.Params([]string{"x"}, Bound{})))
		})
	}
}

// Every guard binds every agent; a rule that no proposal comes from reads for nobody.
func TestParamsOfStrategiesAndGuards(t *testing.T) {
	rev := compiled(t, map[string]string{
		"x.rego": "package scanflow.strategies.x\n\npropose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []} if input.params.x\n\nidle if input.params.idle\n",
		"y.rego": "package scanflow.strategies.y\n\npropose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []} if count(input.params) > 1\n",
		"g.rego": "package scanflow.guards.g\n\ndeny contains \"no\" if not object.get(input.params, \"off\", false)\n\ndeny contains \"no\" if input.params.more\n",
	}, Options{})
	off := []ParamDefault{{By: "guard g", Path: []string{"off"}, Type: "boolean", Literal: "false"}}
	require.Empty(t, cmp.Diff(ParamReads{Names: []string{"more", "off", "x"}, Defaults: off}, rev.Params([]string{"x", "nobody"}, Bound{})))
	require.Empty(t, cmp.Diff(ParamReads{Any: true, Names: []string{"more", "off", "x"}, Defaults: off}, rev.Params([]string{"y", "x"}, Bound{})))
	require.Empty(t, cmp.Diff(ParamReads{Names: []string{"more", "off"}, Defaults: off}, rev.Params(nil, Bound{})))
}
