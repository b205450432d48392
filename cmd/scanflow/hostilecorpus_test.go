package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// verdict is the expected result for a hostile folder.
type verdict string

const (
	refused verdict = "refused"
	taken   verdict = "taken"
	// judged is refused or taken: which of both is of no interest here.
	judged verdict = "judged"
	// slow takes as long as the limits of a judge allow; only a soak waits for its verdict.
	slow verdict = "slow"
	// inTime shows what it is once the load is 666; it may have been refused before.
	inTime verdict = "moment"
	// explodes is taken, and overruns once the load is 666.
	explodes verdict = "explodes"
)

// hostileFolder is a folder that is saved under a daemon.
type hostileFolder struct {
	name string
	// files are by path; victim.rego takes the place of the harmless one.
	files func() map[string]string
	// put makes what is no plain file.
	put  func(t *testing.T, dir string)
	want verdict
	// says is in the log where it is refused.
	says string
}

func (h hostileFolder) write() map[string]string {
	if h.files == nil {
		return nil
	}
	return h.files()
}

// one is a folder with a single file besides the victim's.
func one(name string, text func() string) func() map[string]string {
	return func() map[string]string { return map[string]string{name: text()} }
}

// text is a constant, for one.
func text(s string) func() string { return func() string { return s } }

const victimHead = `package scanflow.strategies.t.victim

# METADATA
# title: T
# description: D.
# custom: {layer: infrastructure}
`

// proposal is one that would be an act if it came through; with takes its place in it.
const proposal = `{"primitive": "webhook", "with": {"url": input.params.url, "body": {"a": %s}}, "reason": "r", "because": ["load"]}`

// harmless never has anything to do.
const harmless = victimHead + `propose contains {"primitive": "webhook", "with": {"url": input.params.url, "body": {}}, "reason": "r", "because": ["load"]} if input.signals.load.value > 1000
`

// always is a condition that holds, and that no compiler sees through.
const always = "input.signals.load.value < 1000"

// victim is a strategy that computes x on each document, and has no reason to act then.
func victim(lines ...string) func() map[string]string {
	return one("victim.rego", text(victimHead+"propose contains "+fmt.Sprintf(proposal, "x")+" if {\n\t"+always+"\n\t"+strings.Join(lines, "\n\t")+"\n\tx == json.unmarshal(`\"never\"`)\n}\n"))
}

// tests is a suite of the victim.
func tests(lines ...string) func() map[string]string {
	return one("x_test.rego", text("package scanflow.strategies.t.victim_test\n\n"+strings.Join(lines, "\n")+"\n"))
}

// aside returns a module that no other uses; it is compiled all the same.
func aside(lines ...string) func() map[string]string {
	return one("aside.rego", text("package scanflow.lib.aside\n\n"+strings.Join(lines, "\n")+"\n"))
}

// nest puts so many of open before the middle, and of end after it.
func nest(n int, open, middle, end string) string {
	return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
}

// many joins n texts.
func many(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
		b.WriteByte('\n')
	}
	return b.String()
}

// typed are n lines, each of which holds the one before twice: so does its type.
func typed(v string, n int) string {
	return v + "0 := [input.signals.load.value]\n\t" + strings.TrimSpace(many(n, func(i int) string { return fmt.Sprintf("\t%[1]s%[2]d := [%[1]s%[3]d, %[1]s%[3]d]", v, i+1, i) }))
}

// shared is the like of one type, so that only the value explodes.
func shared(v string, n int) string {
	return v + "0 := [input.signals.load.value]\n\t" + strings.TrimSpace(many(n, func(i int) string {
		return fmt.Sprintf("\t%[1]s%[2]d := [x%[2]d | some x%[2]d in [%[1]s%[3]d, %[1]s%[3]d]]", v, i+1, i)
	}))
}

// corpus are all hostile folders.
func corpus() []hostileFolder {
	rows := concat(hostileData(), hostileFiles(), hostileTests(), hostileForms(), hostileCompiles(), hostileTypes(), hostileBuiltins(), hostileAnswers(), hostileBombs())
	for i := range rows {
		rows[i].want = cmp.Or(rows[i].want, judged)
		rows[i].name = strings.ReplaceAll(rows[i].name, ",", "") // it is part of a path, and --filename takes a list
	}
	return rows
}

func concat(lists ...[]hostileFolder) (out []hostileFolder) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

func hostileData() []hostileFolder {
	rows := []hostileFolder{
		{name: "a huge exponent", files: one("data.json", text(`{"a": 1e100000}`))},
		{name: "a huge exponent that a rule uses", files: func() map[string]string {
			return map[string]string{"data.json": `{"a": 1e100000}`, "aside.rego": "package scanflow.lib.aside\n\nx := data.case.a + 1\n"}
		}},
		{name: "a small exponent", files: one("data.json", text(`{"a": -1e-1000000000}`))},
		{name: "a number of a million digits", files: one("data.json", func() string { return `{"a": ` + strings.Repeat("7", 1_000_000) + `}` })},
		{name: "exponents in YAML", files: one("data.yaml", text("a: 1e1000000000\nb: -1e-1000000000\nc: .inf\nd: 0x"+strings.Repeat("f", 1000)+"\n"))},
		{name: "JSON 100,000 deep", files: one("data.json", func() string { return `{"a": ` + nest(100_000, "[", "", "]") + `}` }), want: refused, says: "data.json"},
		{name: "JSON that never closes", files: one("data.json", func() string { return strings.Repeat(`{"a":`, 100_000) }), want: refused, says: "data.json"},
		{name: "JSON 9,000 deep", files: one("data.json", func() string { return `{"a": ` + nest(9000, "[", "", "]") + `}` })},
		{name: "YAML 100,000 deep", files: one("data.yaml", func() string { return "a: " + nest(100_000, "[", "", "]") }), want: refused, says: "data.yaml"},
		{name: "YAML deep by indentation", files: one("data.yaml", func() string { return many(3000, func(i int) string { return strings.Repeat(" ", i) + "a:" }) })},
		{name: "a bomb of YAML aliases", files: one("data.yaml", func() string {
			return "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + many(12, func(i int) string {
				return fmt.Sprintf("a%d: &a%d [%s]", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 9), ","))
			})
		}), want: refused, says: "data.yaml"},
		{name: "a bomb of YAML merges", files: one("data.yaml", func() string {
			return "a0: &a0 {k: v}\n" + many(30, func(i int) string {
				return fmt.Sprintf("a%[1]d: &a%[1]d {x: *a%[2]d, y: *a%[2]d, <<: *a%[2]d}", i+1, i)
			})
		}), want: refused, says: "data.yaml"},
		{name: "YAML that holds itself", files: one("data.yaml", text("a: &a [*a]\n")), want: refused, says: "data.yaml"},
		{name: "YAML with tags", files: one("data.yaml", text("a: !!binary "+strings.Repeat("A", 4096)+"\nb: !!python/object:os.system x\nc: !!timestamp 2026-01-01\n? [a, b]\n: 1\n"))},
		{name: "20 MB of small values", files: one("data.json", func() string { return `{"a": [` + strings.Repeat(`{"b":[{}]},`, 1_800_000) + `1]}` }), want: slow},
		{name: "a string of 20 MB", files: one("data.json", func() string { return `{"a": "` + strings.Repeat("x", 20<<20) + `"}` })},
		{name: "a million keys", files: one("data.json", func() string {
			return `{` + many(1_000_000, func(i int) string { return fmt.Sprintf(`"k%d": %d,`, i, i) }) + `"z": 0}`
		}), want: slow},
		{name: "keys of control characters", files: one("data.json", text(`{"\u0000\u001b[2J": 1, "": {"": {"": 0}}, "__proto__": 1, "a/b": 2, "~1": 3}`))},
		{name: "data that is no object", files: func() map[string]string {
			return map[string]string{"deep/data.json": `[1]`, "data.json": `null`, "data.yaml": "~"}
		}},
		{name: "data in the place of a package", files: func() map[string]string {
			return map[string]string{"data.json": `{"x": 1}`, "x.rego": "package case.x\n\ny := 1\n"}
		}, want: refused, says: "conflict"},
		{name: "data that is set twice", files: func() map[string]string {
			return map[string]string{"data.json": `{"x": 1}`, "data.yml": `x: 2`}
		}, want: refused, says: "set by another data file too"},
		{name: "YAML of 200,000 keys", files: one("data.yaml", func() string { return many(200_000, func(i int) string { return fmt.Sprintf("k%d: 1", i) }) }), want: refused, says: "write it as JSON"},
		{name: "a key twice", files: one("data.json", text("{\"a\": 1,\n\"a\": 2}")), want: refused, says: "data.json:2"},
		{name: "a key twice in YAML", files: one("data.yaml", text("a: 1\na: 2\n")), want: refused, says: "data.yaml:2"},
		{name: "data in no UTF-8", files: one("data.json", text("{\"a\": \"\xff\xfe\"}"))},
		{name: "data with a byte order mark", files: one("data.json", text("\ufeff{\"a\": 1}"))},
		{name: "empty data", files: one("data.json", text("")), want: refused, says: "data.json"},
		{name: "data of NUL bytes", files: one("data.json", text(strings.Repeat("\x00", 4096))), want: refused, says: "data.json"},
		{name: "two documents in one file", files: one("data.yaml", text("a: 1\n---\na: 2\n"))},
		{name: "a broken manifest below", files: one(".manifest", text(`{"roots": 5}`)), want: refused, says: "a manifest in a sub-folder"},
	}
	return rows
}

func hostileTests() []hostileFolder {
	rows := []hostileFolder{
		{name: "a test that panics OPA", files: tests("test_a if bits.lsh(1, 9223372036854775807) > 0")},
		{name: "a test of shifts", files: tests("test_a if {", "\tx := bits.lsh(1, 1000000000)", "\ty := x * x", "\ty * y > 0", "}"), want: slow},
		{name: "a test of products", files: tests("test_a if {", "\tx0 := 1e1000", many(40, func(i int) string { return fmt.Sprintf("\tx%d := x%d * x%d", i+1, i, i) }), "\tx40 > 0", "}"), want: slow},
		{name: "a test of a regular expression", files: tests(`test_a if regex.match("(x+x+)+y{1000}", concat("", [ "x" | some i in numbers.range(1, 2000000)]))`), want: slow},
		{name: "a test of paths", files: tests("test_a if {", "\tg := {sprintf(\"%d\", [i]): [sprintf(\"%d\", [j]) | some j in numbers.range(0, 30)] | some i in numbers.range(0, 30)}", "\tcount(graph.reachable_paths(g, [\"0\"])) > 0", "}"), want: slow},
		{name: "a test of nested templates", files: tests("test_a if {", "\tx := numbers.range(1, 3000)", "\tstrings.render_template(`{{range $a := .x}}{{range $b := $.x}}{{range $c := $.x}}y{{end}}{{end}}{{end}}`, {\"x\": x}) != \"\"", "}"), want: slow},
		{name: "a test of a long range", files: tests("test_a if count(numbers.range(1, 1000000000000)) > 0"), want: slow},
		{name: "a test without end", files: tests("test_a if {", "\tr := numbers.range(1, 3000)", "\tcount([1 | some a in r; some b in r; some c in r; a + b == c * 7]) > 0", "}"), want: slow},
		{name: "a test that all others wait for", files: tests("test_a if {\n\t"+escapes()+"\n}", "test_b if true"), want: slow},
		{name: "eight tests that hang", files: tests(many(8, func(i int) string { return fmt.Sprintf("test_%d if {\n\t%s\n}\n", i, escapes()) })), want: slow},
		{name: "100,000 tests", files: tests(many(100_000, func(i int) string { return fmt.Sprintf("test_%d if true", i) })), want: slow},
		{name: "a test that prints without end", files: tests("test_a if {", "\tsome i in numbers.range(1, 3000000)", "\tprint(i, \"all work and no play makes Jack a dull boy\")", "\tfalse", "}"), want: slow},
		{name: "a test that prints control characters", files: tests("test_a if {", `	print("\u001b[2J\u0000\r\nforged: line")`, "}")},
		{name: "a test with other functions", files: tests(`test_a if count([1 | some i in numbers.range(1, 10)]) > 0 with count as object.union_n with numbers.range as sprintf`)},
		{name: "a test with data in the place of all", files: tests(`test_a if data.scanflow.strategies.t.call.propose with data.scanflow as {"strategies": 5} with input as data`)},
		{name: "a test that asks for all data", files: tests(`test_a if count(json.marshal(data)) > 0`)},
		{name: "a test that calls itself", files: tests("test_a if test_a"), want: refused, says: "recursi"},
		{name: "a table of a million cases", files: tests("test_a[i] if some i in numbers.range(1, 1000000)"), want: slow},
		{name: "tests of one name", files: tests(many(500, func(int) string { return "test_a if true" }))},
		{name: "a test that is a function", files: tests("test_a(x) if x > 1", "test_b := 5", "test_c := \"x\"", "test_d contains 1", "test_e.f := 2")},
	}
	return rows
}

// hostileForms are rules of a name with a meaning, in forms that have none.
func hostileForms() []hostileFolder {
	var rows []hostileFolder
	for name, rule := range map[string]string{
		"complete":        "propose := p if {\n\t" + always + "\n\tp := 5\n}",
		"complete, a set": "propose := {" + strings.Replace(proposal, "%s", "1", 1) + "}",
		"a function":      "propose(x) := x if x > 1",
		"an object":       "propose[x] := y if {\n\tx := \"a\"\n\ty := 1\n}",
		"a boolean":       "propose if true",
		"by default":      "default propose := set()",
		"with else":       "propose := 1 if false\nelse := 2",
		"by key":          "propose[x] if x := 1",
		"below":           "propose.a.b contains 1 if true",
		"below, complete": "propose.a.b := 1",
		"below, a set":    "propose[x].y contains 1 if x := \"z\"",
		"function, else":  "propose(_) := 1 if false\nelse := 2 if true",
		"of no value":     "propose contains x if x := input.none.of.it\n\npropose contains [1] if true",
		"imported":        "import data.propose\n\nx := propose",
	} {
		rows = append(rows, hostileFolder{name: "propose, " + name, files: one("victim.rego", text("package scanflow.strategies.t.victim\n\n"+rule+"\n"))})
	}
	for name, rule := range map[string]string{
		"complete":       "deny := \"x\"",
		"a function":     "deny(x) := \"no\" if x",
		"an object":      "deny[x] := 1 if x := \"a\"",
		"a boolean":      "deny if true",
		"by default":     "default deny := false",
		"with else":      "deny := 1 if false\nelse := 2",
		"below":          "deny.a.b contains 1 if true",
		"of numbers":     "deny contains 1e1000 if true",
		"of objects":     "deny contains {\"a\": {1: set()}} if true",
		"none":           "x := 1",
		"metadata":       "# METADATA\n# custom: {requires: 5, reads: [1], layer: {a: b}}\ndeny contains \"x\" if false",
		"by its package": "deny contains data.scanflow.guards.t.deny if true",
	} {
		rows = append(rows, hostileFolder{name: "deny, " + name, files: one("guard.rego", text("package scanflow.guards.t\n\n"+rule+"\n"))})
	}
	for name, note := range map[string]string{
		"wrong types":        "title: [1]\ndescription: {a: b}\ncustom: 5\nscope: 7\nauthors: x\nrelated_resources: 9\norganizations: {}",
		"custom of types":    "title: T\ncustom: {layer: [1, {a: b}], reads: 5, requires: {x: y}, params: 7}",
		"an alias bomb":      "custom: {a: &a [x,x,x,x,x,x,x,x,x], b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b], d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c], e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d], f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e], g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f], h: [*g,*g,*g,*g,*g,*g,*g,*g,*g]}",
		"deep":               "custom: {a: " + nest(20_000, "[", "", "]") + "}",
		"a schema by URL":    "schemas:\n  - input: {$ref: \"http://127.0.0.1:1/schema.json\"}",
		"a schema of itself": "schemas:\n  - input: {$ref: \"#\"}",
		"a schema of a file": "schemas:\n  - input: {$ref: \"file:///etc/passwd\"}",
		"a schema by a name": "schemas:\n  - input: {$id: \"FILE:///etc/passwd\", $ref: \"#/x\"}",
		"a schema, deep":     "schemas:\n  - input: " + nest(3000, "{type: object, properties: {a: ", "{type: string}", "}}"),
		"a schema, circular": "schemas:\n  - input: {definitions: {a: {properties: {b: {$ref: \"#/definitions/b\"}}}, b: {properties: {a: {$ref: \"#/definitions/a\"}}}}, $ref: \"#/definitions/a\"}",
		"a schema of all":    "schemas:\n  - input: {allOf: [" + strings.TrimSuffix(strings.Repeat("{type: object, properties: {a: {type: string}, b: {type: number}}},", 2000), ",") + "]}",
		"schemas not there":  "schemas:\n  - input: schema.none\n  - data.scanflow: schema[\"x\"]",
		"an entry point":     "entrypoint: yes\nscope: document",
		"nothing":            "",
		"no YAML":            "\t: : [",
	} {
		note = "# METADATA\n# " + strings.ReplaceAll(note, "\n", "\n# ") + "\n"
		want, says := judged, ""
		if strings.Contains(note, "passwd") {
			want, says = refused, "refers to"
		}
		rows = append(rows, hostileFolder{name: "METADATA, " + name, want: want, says: says, files: one("victim.rego", text("package scanflow.strategies.t.victim\n\n"+note+"propose contains \"x\" if input.signals.load.value > 1000\n"))})
	}
	rows = append(rows, hostileFolder{name: "METADATA of 8 MB", files: one("victim.rego", func() string {
		return "package scanflow.strategies.t.victim\n\n# METADATA\n# title: T\n# custom:\n#   a: [" + strings.Repeat("x, ", 8<<20/3) + "y]\npropose contains \"x\" if input.signals.load.value > 1000\n"
	}), want: slow})
	slices.SortFunc(rows, func(a, b hostileFolder) int { return strings.Compare(a.name, b.name) }) // of maps
	return rows
}

func hostileCompiles() []hostileFolder {
	return []hostileFolder{
		{name: "3,000 nested every", files: aside("x if {\n" + nest(3000, "every a in [1] {\n", "true", "\n}") + "\n}"), want: slow},
		{name: "2,000 nested comprehensions", files: aside("x := " + nest(2000, "[y | y := ", "1", "]")), want: slow},
		{name: "50,000 nested arrays", files: aside("x := " + nest(50_000, "[", "1", "]")), want: slow},
		{name: "50,000 nested objects", files: aside("x := " + nest(50_000, `{"a": `, "1", "}")), want: slow},
		{name: "5,000 nested calls", files: aside("x := " + nest(5000, "abs(", "1", ")")), want: slow},
		{name: "100,000 parentheses", files: aside("x := " + nest(100_000, "(", "1", ")")), want: slow},
		{name: "100,000 brackets", files: aside("x := " + strings.Repeat("[", 100_000)), want: slow},
		{name: "100,000 signs", files: aside("x := " + strings.Repeat("-", 100_000) + "1"), want: slow},
		{name: "a sum of 50,000", files: aside("x := 1" + strings.Repeat(" + 1", 50_000)), want: slow},
		{name: "a reference of 50,000 parts", files: aside("x := input" + strings.Repeat("[input.a]", 50_000)), want: slow},
		{name: "3,000 nested templates", files: aside("x := " + nest(3000, `$"{`, "1", `}"`)), want: slow},
		{name: "5,000 rules", files: aside(many(5000, func(i int) string {
			return fmt.Sprintf("r%d if data.scanflow.lib.aside[sprintf(\"r%%d\", [%d])] == 1", i, i)
		})), want: slow},
		{name: "5,000 rules of one name", files: aside(many(5000, func(i int) string { return fmt.Sprintf("r contains %d if input.a[%d] == [x | x := %d]", i, i, i) })), want: slow},
		{name: "20,000 else", files: aside("x := 0 if input.a == 0" + many(20_000, func(i int) string { return fmt.Sprintf(" else := %d if input.a == %d", i, i) })), want: slow},
		{name: "a body of 20,000 lines", files: aside("x if {\n" + many(20_000, func(i int) string { return fmt.Sprintf("\ty%d := input.a[%d]", i, i) }) + "\n}"), want: slow},
		{name: "one set of 500,000 on a line", files: aside("x := {" + strings.Repeat("input.a, ", 500_000) + "1}"), want: slow},
		{name: "1,000 with", files: aside("x if y" + strings.Repeat(" with input.a as input", 1000) + "\n\ny := input.a"), want: slow},
		{name: "a cycle of imports", files: func() map[string]string {
			return map[string]string{
				"a.rego": "package scanflow.lib.a\n\nimport data.scanflow.lib.b\n\nx := b.x\n",
				"b.rego": "package scanflow.lib.b\n\nimport data.scanflow.lib.a\n\nx := a.x\n",
			}
		}, want: refused, says: "recursi"},
		{name: "a rule that calls itself", files: aside("f(x) := f(x + 1)"), want: refused, says: "recursi"},
		{name: "a chain of 5,000 rules", files: aside("r0 := 1\n" + many(5000, func(i int) string { return fmt.Sprintf("r%d := r%d + 1", i+1, i) })), want: slow},
		{name: "functions that double", files: aside("f0(x) := [x, x]\n"+many(30, func(i int) string { return fmt.Sprintf("f%d(x) := f%d(f%d(x))", i+1, i, i) }), "y := f30(1)"), want: slow},
		{name: "Rego of before", files: aside("allow[x] { x := 1 }"), want: refused, says: "aside.rego"},
		{name: "a name of 1 MB", files: aside(strings.Repeat("a", 1<<20) + " := 1"), want: judged},
		{name: "a package of 1 MB", files: one("aside.rego", func() string { return "package a" + strings.Repeat(".b", 1<<19) + "\n\nx := 1\n" }), want: slow},
		{name: "a package of odd characters", files: one("aside.rego", text("package scanflow.strategies[\"\\u0000 \\\"}{\\u001b[2J../..\"]\n\npropose contains \"x\" if false\n"))},
		{name: "a package that ends the tree", files: one("aside.rego", text("package scanflow.strategies\n\nt := 5\n")), want: judged},
		{name: "a package in the place of all", files: one("aside.rego", text("package scanflow\n\nstrategies := 5\n")), want: judged},
		{name: "a number of 1 MB in Rego", files: aside("x := " + strings.Repeat("9", 1<<20)), want: slow},
		{name: "exponents in Rego", files: aside("x := 1e1000000000", "y := -1e-1000000000", "z := x * y"), want: slow},
		{name: "a constant that is huge", files: aside("x := numbers.range(1, 1000000000)", "y := x[0]"), want: judged},
		{name: "a raw string of 16 MB", files: aside("x := `" + strings.Repeat("x\n", 8<<20) + "`"), want: slow},
		{name: "functions that are switched off", files: aside(`x := http.send({"method": "GET", "url": "http://169.254.169.254/"})`, "y := opa.runtime().env", "z := net.lookup_ip_addr(\"localhost\")"), want: refused, says: "switched off"},
	}
}

// hostileTypes are values whose types double line by line.
func hostileTypes() []hostileFolder {
	a, b := typed("a", 40), typed("b", 40)
	with := func(name, lines, head string) hostileFolder {
		return hostileFolder{name: name, files: one("victim.rego", text(victimHead+"propose contains "+head+" if {\n\t"+always+"\n\t"+lines+"\n}\n")), want: slow}
	}
	guard := func(name, head, lines string) hostileFolder {
		return hostileFolder{name: name, files: one("guard.rego", text("package scanflow.guards.t\n\ndeny contains "+head+" if {\n\t"+strings.ReplaceAll(lines, "input.signals.load.value", "input.proposal.primitive")+"\n}\n")), want: slow}
	}
	bare := `{"primitive": "webhook", "with": {"url": input.params.url}, "reason": "r", "because": ["load"]}`
	return []hostileFolder{
		with("types, as with", a, fmt.Sprintf(proposal, "a40")),
		with("types, as note", a, strings.Replace(bare, `"reason"`, `"note": a40, "reason"`, 1)),
		with("types, as because", a, strings.Replace(bare, `["load"]`, `a40`, 1)),
		with("types, as reason", a, strings.Replace(bare, `"r"`, `a40`, 1)),
		with("types, as priority", a, strings.Replace(bare, `"reason"`, `"priority": a40, "reason"`, 1)),
		with("types, as marks", a, strings.Replace(bare, `"reason"`, `"marks": a40, "reason"`, 1)),
		with("types, as a key", a, strings.Replace(bare, `"reason"`, `a40: 1, "reason"`, 1)),
		with("types, as a proposal", a, "a40"),
		with("types, compared", a+"\n\t"+b+"\n\ta40 == b40", bare),
		with("types, in a set", a+"\n\t"+b+"\n\tcount({a40, b40}) == 1", bare),
		with("types, as text", a+"\n\tsprintf(\"%v\", [a40]) != \"\"", bare),
		guard("types, as reason of a guard", "a40", a),
		guard("types, compared by a guard", `"x"`, a+"\n\t"+b+"\n\ta40 == b40"),
	}
}
