package hostile

import "strings"

// values are events with large or unusual data.
func values(large int) (out []Payload) {
	add := func(name, data string, status ...int) {
		out = append(out, events(Structured, name, object(name, `,"data":`+data), status...))
	}
	nested := func(open, inner, end string, depth int) string {
		return strings.Repeat(open, depth) + inner + strings.Repeat(end, depth)
	}
	add("empty arrays", list("[]", large), 413)
	add("empty objects", list("{}", large), 413)
	add("zeros", list("0", large), 413)
	add("nulls", list("null", large), 413)
	add("empty texts", list(`""`, large), 413)
	add("arrays of empty arrays", list("[[],[]]", large), 413)
	add("objects of objects", list(`{"a":{"b":{}}}`, large), 413)
	add("members by hundred thousands", "{"+members(large/12, `"k%d":0`)+"}", 413)
	add("as many values as may be", "["+strings.Repeat("[],", min(large/3, 99_000))+`"`+Secret+`"]`, 202)
	add("arrays nested to the bottom", nested("[", "", "]", large/2), 400)
	add("objects nested to the bottom", nested(`{"a":`, "1", "}", large/6), 400)
	add("arrays nested without end", strings.Repeat("[", large), 400)
	add("arrays nested one too deep", nested("[", "", "]", 65), 400)
	add("arrays nested as deep as may be", nested("[", "", "]", 64), 202)
	add("a huge text", `"`+Secret+repeat("x", large)+`"`, 202)
	add("a huge text of escapes", `"`+Secret+repeat(`\u0000`, large)+`"`, 202)
	add("a huge text of markup", `"`+Secret+repeat("<&>", large/8)+`"`, 202)
	add("a huge key", `{"`+Secret+repeat("k", large)+`":1}`, 202)
	add("halves of surrogates", `"`+Secret+repeat(`\ud800`, large/2)+`"`, 202)
	add("a number of a million digits", repeat("9", min(large, 1<<20)), 400)
	add("a fraction of a million digits", "0."+repeat("3", min(large, 1<<20)), 400)
	add("a number with a huge exponent", `{"n":1e100000}`, 400)
	add("a number with a tiny exponent", `{"n":1e-100000}`, 400)
	add("an exponent of a million digits", "1e"+repeat("9", min(large, 1<<20)), 400)
	add("many numbers with huge exponents", list("1e400", large), 400)
	add("not a number", "NaN", 400)
	add("infinity", "[Infinity]", 400)
	add("a hexadecimal number", "0x10", 400)
	add("a member twice", `{"role":"user","role":"admin"}`, 400)
	add("a member twice, once escaped", `{"role":"user","\u0072ole":"admin"}`, 400)
	add("a member twice, deep down", `[{"a":[{"b":1,"c":2,"b":3}]}]`, 400)
	add("ten thousand members twice", "{"+members(min(large/12, 10_000), `"k%d":0`)+`,"k0":1}`, 400)
	add("names of JavaScript", `{"__proto__":{"admin":true},"constructor":1}`, 202)
	add("a comment", "1/* one */", 400)
	add("a comma too many", "[1,]", 400)
	out = append(out,
		events(Structured, "empty arrays in Base64", object("base64", `,"datacontenttype":"application/json","data_base64":"W1`+repeat("tdLFtd", large)+`dLFtdXQ=="`), 400, 413),
		events(Structured, "empty arrays that nobody takes", strings.Replace(object("unwanted", `,"data":`+list("[]", min(large, 250_000))), Type, "nobody.takes", 1), 404),
	)
	return out
}
