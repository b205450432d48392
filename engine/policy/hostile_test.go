package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// sharing is 40 rules, of which each holds the one before twice: it takes 40 lines to
// write, and 2^40 values to write out.
func sharing(name string) string { return sharingTo(name, 40) }

// sharingTo makes them by comprehensions: the compiler gives a literal of them a type that
// is as large.
func sharingTo(name string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s0 := [input.now_ns]\n", name)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "%s%d := [x | x := %s%d; some _ in [1, 2]]\n", name, i, name, i-1)
	}
	return b.String()
}

const proposeOf = `propose contains {"primitive": "scale", "with": {"x": %s}, "reason": "much", "because": []}`

// Proposals are measured before anything reads them, with shared parts counted as often as they
// would be encoded. A proposal beyond the limit is a problem, and the others are kept.
func TestProposalsAreMeasured(t *testing.T) {
	sane := `propose contains {"primitive": "scale", "with": {"y": 1}, "reason": "sane", "because": []}`
	for name, c := range map[string]struct{ text, want string }{
		"with of shared parts":   {sharing("a") + fmt.Sprintf(proposeOf, "a40"), `reason "much": a proposal is larger than 1048576 bytes`},
		"a note of shared parts": {sharing("a") + `propose contains {"primitive": "scale", "reason": "much", "because": [], "note": a40}`, "larger than 1048576 bytes"},
		"because of them":        {sharing("a") + `propose contains {"primitive": "scale", "reason": "much", "because": because} if { because := [] with input as a40 }`, ""},
		"no object at all":       {sharing("a") + `propose contains p if { p := {"primitive": "scale", "reason": object.get({"r": a40}, "r", 0), "because": []} }`, "object: a proposal is larger than"},
		"a key of them":          {sharing("a") + `propose contains p if { p := {"primitive": "scale", "reason": "much", "because": [], "with": {a40: 1}} }`, "larger than 1048576 bytes"},
		"one long text":          {fmt.Sprintf(proposeOf, `concat(",", [s | some i in numbers.range(1, 200000); s := "abc"])`) + "\n" + fmt.Sprintf(proposeOf, `[t | t := concat(",", [s | some i in numbers.range(1, 200000); s := "abc"]); some j in [1, 2]]`), "larger than 1048576 bytes"},
		"many proposals": {`propose contains p if {
	long := concat(",", [s | some i in numbers.range(1, 200000); s := "abc"])
	some n in numbers.range(1, 100)
	p := {"primitive": "scale", "with": {"n": n, "x": long}, "reason": "many", "because": []}
}`, "the proposals are larger than 8388608 bytes together"},
	} {
		t.Run(name, func(t *testing.T) {
			rev := compiled(t, one(c.text+"\n"+sane), Options{Deadline: 20 * time.Second})
			e := rev.Evaluate(context.Background(), []string{"x"}, document(1))
			require.Contains(t, problems(e), c.want)
			require.Less(t, len(problems(e)), 10_000)
			if c.want == "" {
				return
			}
			if name != "many proposals" {
				require.Contains(t, reasons(e), "sane")
			}
			_, err := json.Marshal(e.Proposals)
			require.NoError(t, err)
		})
	}
}

func reasons(e engine.Evaluation) []string {
	var out []string
	for _, p := range e.Proposals {
		out = append(out, p.Reason)
	}
	return out
}

// The results of guards and of Explain are measured too.
func TestDenialsAndTracesAreMeasured(t *testing.T) {
	ctx := context.Background()
	rev := compiled(t, with(basic(), "g.rego", "package scanflow.guards.g\n\n"+sharing("a")+"deny contains a40\n",
		"x.rego", "package scanflow.strategies.x\n\n"+sharingTo("a", 16)+fmt.Sprintf(proposeOf, "a16")+"\n"), Options{})
	denials := rev.Review(ctx, document(1), engine.Proposal{}).Denials
	require.Len(t, denials, 1)
	require.Contains(t, denials[0].Reason, "larger than 1048576 bytes")
	text, err := rev.Explain(ctx, "x", document(1).Input())
	require.NoError(t, err)
	require.Contains(t, text, "too large to show")
	require.Less(t, len(text), 4*maxTraceBytes)
}

// A comparison of shared parts, and a built-in that would give far too much, end with an
// error that says why; so does a test of policies, by the same words.
func TestBuiltinsOfPoliciesAreBounded(t *testing.T) {
	ctx := context.Background()
	for text, want := range map[string]string{
		sharing("a") + sharing("b") + strings.Replace(proposeOf, "%s", "1", 1) + " if { a40 == b40 }": "internal.same: both values are larger than 8 MiB when they are written out",
		fmt.Sprintf(proposeOf, "bits.lsh(1, 9223372036854775807)"):                                    "bits.lsh: the result could have more than 4000 digits; shift by fewer bits",
		fmt.Sprintf(proposeOf, "numbers.range(0, 1000000000)"):                                        "numbers.range: the range would have more than 262144 elements",
	} {
		rev := compiled(t, one(text), Options{})
		e := rev.Evaluate(ctx, []string{"x"}, document(1))
		require.Contains(t, problems(e), want)
		require.Empty(t, e.Proposals)
	}
	_, err := Candidate(ctx, sourceOf(t, with(basic(), ".manifest", "", "a_test.rego", "package a_test\n\ntest_shift if { bits.lsh(1, 9223372036854775807) > 0 }\n\ntest_not if { not bits.lsh(1, 9223372036854775807) > 0 }\n")), Options{})
	require.ErrorContains(t, err, "test a_test.test_shift ended in an error: ")
	require.ErrorContains(t, err, "test a_test.test_not ended in an error: ")
	require.ErrorContains(t, err, "bits.lsh: the result could have more than 4000 digits")
}

// Numbers and texts that are dangerous for arithmetic, parsers or printers are rejected when they
// are read, with their position.
func TestHostileFilesAreMistakes(t *testing.T) {
	deep := strings.Repeat("[", 100_000)
	bomb := "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
	for i := 1; i < 10; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	for _, c := range []struct{ name, text, want string }{
		{"data.json", `{"a": 1e100000}`, "data.json:1:1: number 1e100000 has more than 4000 digits when it is written out"},
		{"a/data.json", "{\n\"a\": [1,\n-1e-100000]}", "a/data.json:3:1: number -1e-100000 has more than 4000 digits"},
		{"data.json", `{"a": ` + strings.Repeat("7", 5000) + `}`, "data.json:1:1: number 7777"},
		{"data.json", `{"a": ` + deep, "data.json:1:1: is nested deeper than 500 levels"},
		{"data.json", `{"a": ` + deep + strings.Repeat("]", 100_000) + "}", "data.json:1:1: is nested deeper than 500 levels"},
		{"data.yaml", "a: " + deep, "data.yaml"},
		{"data.yaml", "a: " + strings.Repeat("[", 600) + strings.Repeat("]", 600), "data.yaml:1:1: is nested deeper than 500 levels"},
		{"data.yaml", bomb, "when its aliases are written out"},
		{"data.yaml", "a: &a [*a]", `data.yaml:1:1: alias "a" holds itself`},
		{"big.rego", "package a\n\np := 1e9000", "big.rego:3:6: number 1e9000 has more than 4000 digits"},
		{"big.rego", "package a\n\np := 1e100000", "big.rego:3:6: "},
		{"big_test.rego", "package a_test\n\ntest_p if {\n\t1e-9000 > 0\n}", "big_test.rego:4:2: number 1e-9000 has more"},
		{"big.rego", "package a\n\np := " + strings.Repeat("7", 5000), "big.rego:3:6: number 7777"},
		{"deep.rego", "package a\n\np := " + deep, "deep.rego:3:1: is nested deeper than 500 levels; split it into rules"},
		{"deep.rego", "package a\n\np if {" + strings.Repeat("every x in [1] { ", 3000) + "x" + strings.Repeat("}", 3001), "deep.rego:3:1: is nested deeper"},
	} {
		t.Run(c.name+" "+c.text[:min(20, len(c.text))], func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, with(basic(), ".manifest", "", c.name, c.text))
			src, err := source.ReadDir(dir)
			if err == nil {
				_, err = Candidate(context.Background(), src, Options{})
			}
			require.ErrorContains(t, err, c.want)
			require.ErrorAs(t, err, new(mistake.Mistakes))
			require.Less(t, len(err.Error()), 2000)
		})
	}
	// The aliases that people write are fine.
	o, mistakes := sourceOf(t, with(basic(), ".manifest", "", "data.yaml", "base: &base {x: 1, big: 1.5e+300}\nmore: {<<: *base, y: [*base, *base]}\n")).Open()
	require.Empty(t, mistakes)
	require.Len(t, o.Data["more"].(map[string]any)["y"], 2)
}

// A value of a document that OPA can't compute with is a problem and a denial that name
// it, and the next document is read as ever.
func TestUnreadableDocuments(t *testing.T) {
	ctx := context.Background()
	rev := compiled(t, with(basic(), "g.rego", "package scanflow.guards.g\n\ndeny contains \"never\" if { input.now_ns < 0 }\n"), Options{})
	for name, v := range map[string]any{
		"not a number": math.NaN(), "infinite": math.Inf(-1), "huge": json.Number("1e100000"), "text": json.Number("abc"), "a float's name": json.Number("NaN"),
		"hex":    json.Number("0x1p-2"),
		"deeper": map[string]any{"a": []any{1.0, json.Number("1e-100000")}}, "no JSON": make(chan int),
	} {
		t.Run(name, func(t *testing.T) {
			doc := document(30)
			doc.Signals[0].Value = v
			e := rev.Evaluate(ctx, rev.Strategies(), doc)
			require.Len(t, e.Problems, 1)
			require.Contains(t, e.Problems[0].Message, "the document can't be read: signals.rps")
			denials := rev.Review(ctx, doc, engine.Proposal{}).Denials
			require.Len(t, denials, 1)
			require.Contains(t, denials[0].Reason, "signals.rps")
			doc.Signals[0].Value = 30.0
			e = rev.Evaluate(ctx, rev.Strategies(), doc)
			require.Empty(t, e.Problems)
			require.Len(t, e.Proposals, 1)
			require.Empty(t, rev.Review(ctx, doc, e.Proposals[0]).Denials)
			denials = rev.Review(ctx, doc, engine.Proposal{With: map[string]any{"x": v}}).Denials
			require.Len(t, denials, 1)
			require.Contains(t, denials[0].Reason, "proposal")
		})
	}
}

// Built-ins that the table disables are disabled.
func TestWhatIsNotBoundedIsSwitchedOff(t *testing.T) {
	off := disabledBuiltins()
	for _, name := range bounded.Unlimited() {
		require.Contains(t, off, name)
	}
}
