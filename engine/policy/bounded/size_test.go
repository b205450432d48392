package bounded

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"
)

func TestWritten(t *testing.T) {
	for text, want := range map[string]Size{
		`1`:                    {Bytes: 3},
		`"abc"`:                {Bytes: 5},
		`[]`:                   {Bytes: 2},
		`[1, [2, [3]]]`:        {Bytes: 15, Depth: 3},
		`{"a": {1, 2}}`:        {Bytes: 2 + 3 + 2 + 6, Depth: 2},
		`{"a": null, "b": ""}`: {Bytes: 2 + 3 + 5 + 3 + 2, Depth: 1},
	} {
		got, ok := Written(ast.MustParseTerm(text).Value, 1000)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
}

// A part that is held several times counts each time, however often that is, and is
// visited once.
func TestWrittenCountsSharedParts(t *testing.T) {
	term := ast.ArrayTerm(ast.StringTerm("x"))
	for range 20 {
		term = ast.ArrayTerm(term, term)
	}
	got, ok := Written(term.Value, 1<<40)
	require.True(t, ok)
	require.Equal(t, Size{Bytes: 7<<20 - 2, Depth: 21}, got)
	visits := testing.AllocsPerRun(10, func() { Written(term.Value, 1<<40) })
	require.Less(t, visits, 1000.0)
	for range 200 { // far more than an int64 holds
		term = ast.ArrayTerm(term, term)
	}
	_, ok = Written(term.Value, 1<<60)
	require.False(t, ok)
	require.False(t, Within(term.Value, 100))
}

func TestShow(t *testing.T) {
	require.Equal(t, `[1, "a"]`, Show(ast.MustParseTerm(`[1, "a"]`).Value, 100))
	require.Equal(t, `"é...`, Show(ast.StringTerm("éé").Value, 4))
	require.Equal(t, "array too large to show", Show(shared().Value, 100))
}

func TestCheckNumber(t *testing.T) {
	for _, good := range []string{"0", "1e300", "-1.5e-300", "123456789012345678901234567890", strings.Repeat("9", MaxDigits), "1e3999"} {
		require.NoError(t, CheckNumber(good))
	}
	for _, bad := range []string{"1e100000", "1e-100000", "1E+99999999999999999999", strings.Repeat("9", MaxDigits+1), "1.5e4000"} {
		require.ErrorContains(t, CheckNumber(bad), "more than 4000 digits")
	}
}

func TestCheckTexts(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1)
	bomb := "a0: &a0 [1]\n"
	for _, c := range []struct {
		check func([]byte) error
		text  string
		want  string // "" is fine
	}{
		{CheckJSON, `{"a": [1e10, "1e99999", "\"[[["]}`, ""},
		{CheckJSON, "{\n\"a\": 1e99999}", "line 2: number 1e99999 has more than 4000 digits"},
		{CheckJSON, "[\n\n-1e-99999]", "line 3: number -1e-99999"},
		{CheckJSON, deep, "line 1: is nested deeper than 500 levels"},
		{CheckSource, "p := \"[[[\" # [[[\nq := `\n[[`\n", ""},
		{CheckSource, "package a\np := " + deep, "line 2: is nested deeper than 500 levels"},
		{CheckSource, `p := "\"" ` + deep, "line 1: is nested"},
		{yamlWithin, "a: &x [1, 2]\nb: *x\n", ""},
		{yamlWithin, bomb + "a1: &a1 [*a0, *a0, *a0, *a0, *a0, *a0, *a0]\na2: [*a1, *a1, *a1, *a1, *a1]\n", "line 3: is larger than 200 bytes when its aliases are written out"},
		{yamlWithin, "a: &a [*a]\n", `line 1: alias "a" holds itself`},
		{yamlWithin, deep, ""},
		{yamlWithin, strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), "is nested deeper than 500 levels"},
	} {
		err := c.check([]byte(c.text))
		if c.want == "" {
			require.NoError(t, err, c.text)
			continue
		}
		require.ErrorContains(t, err, c.want)
		require.ErrorAs(t, err, new(*Place))
	}
}

func yamlWithin(raw []byte) error { return CheckYAML(raw, 200) }

// The checks of what only a compiler with print statements calls.
func TestShownIsBounded(t *testing.T) {
	print := table()["internal.print"].check
	require.NoError(t, print([]*ast.Term{ast.MustParseTerm(`[{1}, {"a"}]`)}))
	require.ErrorContains(t, print([]*ast.Term{ast.ArrayTerm(shared())}), "printed text")
	product := ast.NewArray()
	for range 30 {
		product = product.Append(ast.MustParseTerm(`{1, 2, 3}`))
	}
	require.ErrorContains(t, print([]*ast.Term{ast.NewTerm(product)}), "printed text")
}

func BenchmarkWritten(b *testing.B) {
	for name, t := range map[string]*ast.Term{
		"number": ast.InternedTerm(5),
		"object": ast.MustParseTerm(`{"replicas": 3, "labels": {"a": "b"}, "list": [1, 2, 3]}`),
		"shared": shared(),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Within(t.Value, MaxWritten)
			}
		})
	}
}
