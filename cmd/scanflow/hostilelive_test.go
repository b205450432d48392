package main

import (
	"fmt"
	"strings"
)

func hostileBuiltins() []hostileFolder {
	var rows []hostileFolder
	for _, r := range []struct{ name, x string }{
		{"a shift that panics", "x := bits.lsh(1, 9223372036854775807)"},
		{"a shift", "x := bits.lsh(1, 4000000000) % 7"},
		{"a range", "x := count(numbers.range(1, 1000000000000))"},
		{"a range by steps", "x := count(numbers.range_step(1, 1000000000000, 1))"},
		{"concat", `x := concat("", [s | some i in numbers.range(1, 100); s := concat("", [t | some j in numbers.range(1, 20000); t := "all work and no play makes "])])`},
		{"the width of a format", `x := sprintf("%1000000000d", [1])`},
		{"replace", `x := replace(replace(replace(replace("aaaaaaaaaa", "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")`},
		{"replace_n", `x := strings.replace_n({"a": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "b": "cccccccccccc"}, concat("", ["a" | some i in numbers.range(1, 3000000)]))`},
		{"a regular expression", `x := regex.match("(x+x+)+y{1000}", concat("", ["x" | some i in numbers.range(1, 3000000)]))`},
		{"all matches", `x := regex.find_all_string_submatch_n("(x)(x)?", concat("", ["x" | some i in numbers.range(1, 3000000)]), -1)`},
		{"two globs", `x := regex.globs_match("a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*p*", "a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*p*q*")`},
		{"a glob", `x := glob.match("{a,{b,{c,{d,{e,{f,{g,*}}}}}}}*{a,{b,{c,*}}}*{a,{b,*}}*", [], concat("", ["a" | some i in numbers.range(1, 200000)]))`},
		{"paths", `x := graph.reachable_paths({sprintf("%d", [i]): [sprintf("%d", [j]) | some j in numbers.range(0, 30)] | some i in numbers.range(0, 30)}, ["0"])`},
		{"a template", "x := strings.render_template(`{{range $a := .x}}{{range $b := $.x}}{{range $c := $.x}}y{{end}}{{end}}{{end}}`, {\"x\": numbers.range(1, 3000)})"},
		{"a template that calls itself", "x := strings.render_template(`{{define \"a\"}}x{{template \"a\" .}}{{template \"a\" .}}{{end}}{{template \"a\" .}}`, {})"},
		{"a template of widths", "x := strings.render_template(`{{printf \"%999999999d\" 1}}`, {})"},
		{"deep JSON", `x := json.unmarshal(concat("", ["[" | some i in numbers.range(1, 3000000)]))`},
		{"JSON of a huge number", `x := json.unmarshal("1e1000000000") + 1`},
		{"wide JSON", `x := json.unmarshal(sprintf("[%s 1]", [concat("", ["[],{}," | some i in numbers.range(1, 1000000)])]))`},
		{"YAML with aliases", `x := yaml.unmarshal("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n")`},
		{"all addresses", `x := count(net.cidr_expand("0.0.0.0/0"))`},
		{"all addresses of version 6", `x := count(net.cidr_expand("::/0"))`},
		{"a union of many", `x := object.union_n([{sprintf("%d", [i]): numbers.range(1, 100)} | some i in numbers.range(1, 100000)])`},
		{"a huge number by name", `x := to_number("1e1000000000") + 1`},
		{"units", `x := units.parse_bytes("1e1000000000Ki") + units.parse("1e999999999")`},
		{"a schema", `x := json.match_schema({"a": 1}, {"$ref": "#", "allOf": [{"$ref": "#"}, {"$ref": "#"}]})`},
		{"a schema of a file", `x := json.match_schema({}, {"$ref": "file:///dev/zero"})`},
		{"GraphQL", `x := graphql.parse_query(concat("", ["{a" | some i in numbers.range(1, 1000000)]))`},
		{"walk over all", `x := count([p | some p, v; walk([numbers.range(1, 1000) | some i in numbers.range(1, 3000)], [p, v])])`},
		{"combinations", `x := count([1 | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); some c in numbers.range(1, 3000); a + b == c * 7])`},
		{"a sum of the large", `x := sum([bits.lsh(1, 100000000) | some i in numbers.range(1, 100)])`},
		{"a patch", `x := json.patch({"a": numbers.range(1, 100000)}, [{"op": "copy", "from": "/a", "path": sprintf("/b%d", [i])} | some i in numbers.range(1, 100000)])`},
		{"dates", `x := time.add_date(1, 9223372036854775807, 9223372036854775807, 9223372036854775807)`},
		{"time formats", `x := time.parse_ns(concat("", ["2006" | some i in numbers.range(1, 1000000)]), "x")`},
		{"certificates", `x := crypto.x509.parse_certificates(concat("", ["A" | some i in numbers.range(1, 3000000)]))`},
		{"split by nothing", `x := split(concat("", ["ab" | some i in numbers.range(1, 3000000)]), "")`},
		{"sprintf of all", `n := numbers.range(1, 1000000); x := sprintf("%v%v%v%v", [n, n, n, n])`},
		{"a number as text", `x := format_int(to_number("1e1000000"), 2)`},
		{"parsed Rego", `x := rego.parse_module("x.rego", concat("", ["package x\n" | some i in numbers.range(1, 100000)]))`},
		{"YAML of many keys", `x := yaml.unmarshal(concat("\n", [l | some i in numbers.range(1, 60000); l := sprintf("k%d: 1", [i])]))`},
		{"GraphQL of many fields", `x := graphql.is_valid(concat("", ["query {", concat(" ", ["b" | some i in numbers.range(1, 8000)]), "}"]), "type Query { b: Int }")`},
		{"Rego of many operators", `x := rego.parse_module("x.rego", concat("", ["package x\ny := 1", concat("", ["-1" | some i in numbers.range(1, 7500)])]))`},
		{"networks that merge", `x := net.cidr_merge([sprintf("%d.%d.%d.0/24", [a, b, c]) | some a in numbers.range(1, 50); some b in numbers.range(1, 50); some c in numbers.range(1, 50)])`},
		{"a permutation of sets", `x := intersection({s | some i in numbers.range(1, 3000); s := {j | some j in numbers.range(i, 3000)}})`},
		{"sorted again", `x := sort([[i, numbers.range(1, 1000)] | some i in numbers.range(1, 100000)])`},
	} {
		rows = append(rows,
			hostileFolder{name: "on live documents, " + r.name, files: victim(r.x), want: slow},
			hostileFolder{name: "at a moment, " + r.name, files: victim("input.signals.load.value == 666", r.x), want: inTime})
	}
	return rows
}

// hostileAnswers are strategies and guards that answer too much.
func hostileAnswers() []hostileFolder {
	contains := func(name, head string, lines ...string) hostileFolder {
		return hostileFolder{name: name, files: one("victim.rego", text(victimHead+"propose contains "+head+" if {\n\t"+always+"\n\t"+strings.Join(lines, "\n\t")+"\n}\n")), want: slow}
	}
	guard := func(name, rule string) hostileFolder {
		return hostileFolder{name: name, files: func() map[string]string {
			return map[string]string{"guard.rego": "package scanflow.guards.t\n\n" + rule + "\n", "victim.rego": harmless + "\npropose contains " + fmt.Sprintf(proposal, "1") + " if " + always + "\n"}
		}, want: slow}
	}
	const many = `{"primitive": "webhook", "with": {"url": "http://127.0.0.1:1/", "body": {"i": i}}, "reason": "r", "because": ["load"]}`
	return []hostileFolder{
		contains("3,000 proposals", many, "some i in numbers.range(1, 3000)"),
		contains("a million proposals", many, "some i in numbers.range(1, 1000000)"),
		contains("a million numbers", "i", "some i in numbers.range(1, 1000000)"),
		contains("a proposal of a million elements", fmt.Sprintf(proposal, "numbers.range(1, 1000000)"), "true"),
		contains("a proposal of shared values", fmt.Sprintf(proposal, "a40"), shared("a", 40)),
		contains("a note of shared values", strings.Replace(fmt.Sprintf(proposal, "1"), `"reason"`, `"note": a40, "reason"`, 1), shared("a", 40)),
		contains("signals of shared values", strings.Replace(fmt.Sprintf(proposal, "1"), `["load"]`, `a40`, 1), shared("a", 40)),
		contains("a key of shared values", strings.Replace(fmt.Sprintf(proposal, "1"), `"reason"`, `a40: 1, "reason"`, 1), shared("a", 40)),
		contains("a proposal that is a shared value", "a40", shared("a", 40)),
		contains("shared values, compared", fmt.Sprintf(proposal, "1"), shared("a", 40), shared("b", 40), "a40 == b40"),
		contains("shared values, in a set", fmt.Sprintf(proposal, "1"), shared("a", 40), shared("b", 40), "count({a40, b40}) == 1"),
		contains("shared values, as JSON", fmt.Sprintf(proposal, "1"), shared("a", 40), "json.marshal(a40) != \"\""),
		contains("a million signals", strings.Replace(fmt.Sprintf(proposal, "1"), `["load"]`, `b`, 1), `b := ["load" | some i in numbers.range(1, 1000000)]`),
		contains("a huge priority", strings.Replace(fmt.Sprintf(proposal, "1"), `"reason"`, `"priority": 1e100000, "reason"`, 1), "true"),
		contains("a reason of 20 MB", strings.Replace(fmt.Sprintf(proposal, "1"), `"reason": "r"`, `"reason": r`, 1), `r := concat("", ["x" | some i in numbers.range(1, 20000000)])`),
		contains("a reason of control characters", strings.Replace(fmt.Sprintf(proposal, "1"), `"reason": "r"`, `"reason": "\u001b[2J\u0000\r\nforged"`, 1), "input.signals.load.value == 5.5"),
		contains("keys that are no text", `{1: 2, null: set(), [1]: {}, {"a"}: 3}`, "true"),
		contains("a set in the place of with", `{"primitive": "webhook", "with": {1}, "reason": "r", "because": ["load"]}`, "true"),
		contains("everything that is known", fmt.Sprintf(proposal, `[input, data.scanflow.strategies.t.call]`), "input.none"),
		guard("a guard that hangs", "deny contains \"x\" if {\n\tinput.proposal.primitive == \"webhook\"\n\t"+escapes()+"\n}"),
		guard("a guard of a million reasons", "deny contains sprintf(\"%d\", [i]) if some i in numbers.range(1, 1000000)"),
		guard("a guard of a reason of 20 MB", "deny contains r if r := concat(\"\", [\"x\" | some i in numbers.range(1, 20000000)])"),
		guard("a guard of shared values", "deny contains a40 if {\n\t"+strings.ReplaceAll(shared("a", 40), "input.signals.load.value", "input.proposal.primitive")+"\n}"),
		guard("a guard that is in error", "deny contains \"x\" if 1 / count(input.params) == 1\n\ndeny contains \"no\" if true"),
	}
}

// hostileBombs show what they are after they have passed.
func hostileBombs() []hostileFolder {
	return []hostileFolder{
		{name: "a strategy of a moment", files: one("victim.rego", text(strings.Replace(withEscape("victim", "input.signals.load.value == 666"), "127.0.0.1:1", "127.0.0.1:1", 1))), want: explodes},
		{name: "a strategy of a moment, in a library", files: func() map[string]string {
			return map[string]string{
				"victim.rego": victimHead + "propose contains " + fmt.Sprintf(proposal, "1") + " if data.scanflow.lib.bomb.never\n",
				"bomb.rego":   "package scanflow.lib.bomb\n\nnever if {\n\tinput.signals.load.value == 666\n\t" + escapes() + "\n}\n",
			}
		}, want: explodes},
		{name: "a guard of a moment", files: func() map[string]string {
			return map[string]string{
				"victim.rego": harmless + "\npropose contains " + fmt.Sprintf(proposal, "1") + " if input.signals.load.value == 666\n",
				"guard.rego":  "package scanflow.guards.t\n\ndeny contains \"x\" if {\n\tinput.proposal.with.body.a == 1\n\t" + escapes() + "\n}\n",
			}
		}, want: explodes},
	}
}
