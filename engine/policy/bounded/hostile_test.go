package bounded

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostile is, for each built-in that is bounded, calls that would take all memory or run
// for hours. {{name}} in a call stands for itself.
var hostile = map[string][]string{
	"bits.lsh":                 {`bits.lsh(1, 9223372036854775807)`, `bits.lsh(1, 18446744073709551617)`, `bits.lsh(1, 20000)`, `bits.lsh(1e30, 1e300)`},
	"bits.and":                 {`bits.and(1e9000, 1)`},
	"bits.or":                  {`bits.or(1, 1e9000)`},
	"bits.xor":                 {`bits.xor(1, 1e9000)`},
	"bits.negate":              {`bits.negate(1e9000)`},
	"bits.rsh":                 {`bits.rsh(1e9000, 1)`},
	"abs":                      {`abs(1e9000)`},
	"ceil":                     {`ceil(1e9000)`},
	"floor":                    {`floor(1e9000)`},
	"round":                    {`round(1e9000)`},
	"plus":                     {`1e9000 + 1`, `1 + 1e-9000`},
	"minus":                    {`1 - 1e9000`, `{input.a40} - {input.b40}`},
	"mul":                      {`1e3000 * 1e3000`, `1e9000 * 1`},
	"div":                      {`1e3000 / 1e-3000`},
	"rem":                      {`1e3000 % 1e2900`},
	"sum":                      {`sum([1, 1e9000])`},
	"product":                  {`product([1e900 | some i in numbers.range(1, 5000)])`, `product([i | some i in numbers.range(2, 9000)])`},
	"format_int":               {`format_int(1e9000, 2)`},
	"to_number":                {`to_number("1e9000")`, `to_number("1e-9000")`, `to_number(input.long)`},
	"units.parse":              {`units.parse("1e999999")`, `units.parse("1e999999Ki")`, `units.parse("1e-999999m")`},
	"units.parse_bytes":        {`units.parse_bytes("1e999999")`, `units.parse_bytes("1e999999GiB")`},
	"numbers.range":            {`numbers.range(1, 1000000000)`, `numbers.range(1, -1000000000)`, `numbers.range(1e300, 0)`},
	"numbers.range_step":       {`numbers.range_step(1, 1e300, 7)`, `numbers.range_step(1, 1000000000, 2)`},
	"concat":                   {`concat(input.half, ["a", "b", "c", "d"])`, `concat("", [s | some i in numbers.range(1, 1000); s := input.half])`},
	"replace":                  {`replace(input.half, "a", "aaa")`, `replace(input.half, "", "aaa")`, `replace(input.long, "b", "c")`},
	"strings.replace_n":        {`strings.replace_n({"a": input.half}, input.half)`, `strings.replace_n({"": "aaa"}, input.half)`},
	"sprintf":                  {`sprintf("%1000000000d", [1])`, `sprintf("%1000000d", [1])`, `sprintf("%.*f", [1000000, 1.5])`, `sprintf("%*d", [999999, 1])`, `sprintf("%.9999f", [1.5])`, `sprintf("%s%s%s", [input.half, input.half, input.half])`, `sprintf("%[1]s%[1]s%[1]s", [input.half])`, `sprintf("%v", [input.a40])`, `sprintf("%v", [1e9000])`, `sprintf("%d", [1e9000])`},
	"internal.template_string": {`$"{input.a40}"`},
	"trim":                     {`trim(input.half, concat("", [s | some i in numbers.range(1000, 2000); s := sprintf("%c", [i])]))`},
	"trim_left":                {`trim_left(input.half, concat("", [s | some i in numbers.range(1000, 2000); s := sprintf("%c", [i])]))`},
	"trim_right":               {`trim_right(input.half, concat("", [s | some i in numbers.range(1000, 2000); s := sprintf("%c", [i])]))`},
	"lower":                    {`lower(input.long)`},
	"upper":                    {`upper(input.long)`},
	"indexof":                  {`indexof(input.half, input.half)`},
	"indexof_n":                {`indexof_n(input.half, substring(input.half, 0, 1000))`, `indexof_n(input.half, "a")`},
	"split":                    {`split(input.half, "")`, `split(input.half, "a")`},
	"strings.split_n":          {`strings.split_n(input.half, "", 100000000)`},
	"trace":                    {`trace(input.long)`},
	"strings.any_prefix_match": {`strings.any_prefix_match([s | some i in numbers.range(1, 20); s := [input.half, i][0]], [input.long, input.long, input.long, input.long, input.long, input.long, input.long, input.long, input.long])`},
	"strings.any_suffix_match": {`strings.any_suffix_match("a", [input.long, input.long, input.long, input.long, input.long, input.long, input.long, input.long, input.long])`},
	"strings.render_template": {
		`strings.render_template("{{range .l}}{{range $.l}}{{range $.l}}{{range $.l}}{{range $.l}}{{range $.l}}{{range $.l}}{{.}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}", {"l": numbers.range(1, 100)})`,
		`strings.render_template("{{range 1000000000}}a{{end}}", {})`,
		`strings.render_template("{{range len .l}}a{{end}}", {"l": "abc"})`,
		"strings.render_template(`{{define \"a\"}}{{template \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}`, {})",
		"strings.render_template(`{{printf \"%1000000d\" 1}}`, {})",
		"strings.render_template(`{{$x := \"aaaaaaaaaa\"}}{{range .l}}{{$x = printf \"%s%s\" $x $x}}{{end}}{{$x}}`, {\"l\": numbers.range(1, 64)})",
		"strings.render_template(`{{with print . .}}{{with print . .}}{{with print . .}}{{with print . .}}{{with print . .}}{{.}}{{end}}{{end}}{{end}}{{end}}{{end}}`, {\"a\": 1})",
	},
	"regex.match":                      {"regex.match(`(x+x+)+y{900}`, input.half)", "regex.match(`(.{1000})(.{1000})(.{1000})(.{1000})(.{1000})(.{1000})(.{1000})(.{1000})(.{1000})(.{1000})(.{1000})b`, \"a\")", `regex.match(input.half, "a")`, `regex.match(".", input.long)`},
	"re_match":                         {"re_match(`(x+x+)+y{900}`, input.half)"},
	"regex.find_n":                     {"regex.find_n(`a.*b|a`, input.some, -1)"},
	"regex.split":                      {"regex.split(`a.*b|a`, input.some)"},
	"regex.replace":                    {"regex.replace(input.some, `a.*b|a`, `c`)", "regex.replace(input.half, `a`, `bbbbbb`)", "regex.replace(input.half, `(a+)`, `$1$1$1$1`)"},
	"regex.find_all_string_submatch_n": {"regex.find_all_string_submatch_n(`()()()()()()()()()()()()()()()a`, input.half, -1)", "regex.find_all_string_submatch_n(`a.*b|a`, input.some, -1)"},
	"regex.is_valid":                   {`regex.is_valid(input.half)`},
	"regex.template_match":             {`regex.template_match("{.{1000}}{.{1000}}{.{1000}}{.{1000}}b", input.half, "{", "}")`},
	"regex.globs_match":                {`regex.globs_match(substring(input.half, 0, 4096), input.half)`, `regex.globs_match(input.half, "a")`},
	"glob.match":                       {`glob.match(input.half, [], "a")`, `glob.match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a", [], input.half)`},
	"glob.quote_meta":                  {`glob.quote_meta(input.long)`},
	"equal":                            {`input.a40 == input.b40`, `{"x": input.a40} == {"x": input.b40}`},
	"neq":                              {`input.a40 != input.b40`},
	"lt":                               {`input.a40 < input.b40`},
	"lte":                              {`input.a40 <= input.b40`},
	"gt":                               {`input.a40 > input.b40`},
	"gte":                              {`input.a40 >= input.b40`},
	"internal.member_2":                {`input.a40 in [input.b40]`, `input.a40 in {input.b40}`, `input.list in [s | some i in numbers.range(1, 2000); s := [input.list, i][0]]`},
	"internal.member_3":                {`0, input.a40 in [input.b40]`},
	"max":                              {`max([input.a40, input.b40])`},
	"min":                              {`min([input.a40, input.b40])`},
	"sort":                             {`sort([input.a40, input.b40])`},
	"and":                              {`{input.a40} & {input.b40}`},
	"or":                               {`{input.a40} | {input.b40}`},
	"intersection":                     {`intersection({{input.a40}})`},
	"union":                            {`union({{input.a40}})`},
	"array.concat":                     {`array.concat(input.list, input.list)`},
	"array.flatten":                    {`array.flatten([input.list, input.list])`},
	"object.get":                       {`object.get({input.a40: 1}, input.b40, 0)`, `object.get({}, [input.a40], 0)`},
	"object.filter":                    {`object.filter({input.a40: 1}, [input.b40])`},
	"object.remove":                    {`object.remove({input.a40: 1}, [input.b40])`},
	"object.subset":                    {`object.subset([input.a40], [input.b40])`, `object.subset(input.list, input.list)`},
	"object.union":                     {`object.union({"a": input.a40}, {"a": input.b40})`},
	"object.union_n":                   {`object.union_n([{"a": input.a40}, {"a": input.b40}])`},
	"json.filter":                      {`json.filter({"a": input.a40}, ["a"])`},
	"json.remove":                      {`json.remove({"a": input.a40}, ["a/0"])`},
	"json.patch":                       {`json.patch({"a": [1]}, [p | some i in numbers.range(1, 60); p := {"op": "copy", "from": "/a", "path": "/a/0"}])`, `json.patch({"a": input.a40}, [])`},
	"walk":                             {`walk(input.a40, [["x"], _])`},
	"graph.reachable":                  {`graph.reachable({"a": [input.a40]}, {"a"})`},
	"graph.reachable_paths":            {`graph.reachable_paths(input.layers, {"0a"})`},
	"base64.encode":                    {`base64.encode(input.long)`}, "base64.decode": {`base64.decode(input.long)`}, "base64.is_valid": {`base64.is_valid(input.long)`},
	"base64url.encode": {`base64url.encode(input.long)`}, "base64url.decode": {`base64url.decode(input.long)`}, "base64url.encode_no_pad": {`base64url.encode_no_pad(input.long)`},
	"hex.encode": {`hex.encode(input.long)`}, "hex.decode": {`hex.decode(input.long)`},
	"urlquery.encode": {`urlquery.encode(input.long)`}, "urlquery.decode": {`urlquery.decode(input.long)`}, "urlquery.decode_object": {`urlquery.decode_object(input.long)`},
	"urlquery.encode_object": {`urlquery.encode_object({"a": input.long})`},
	"uri.parse":              {`uri.parse(input.long)`}, "uri.is_valid": {`uri.is_valid(input.long)`},
	"json.is_valid":             {`json.is_valid(input.long)`},
	"json.unmarshal":            {`json.unmarshal("[1e9000]")`, `json.unmarshal(input.deep)`, `json.unmarshal(input.many)`, `json.unmarshal(input.long)`},
	"json.marshal":              {`json.marshal(input.a40)`},
	"json.marshal_with_options": {`json.marshal_with_options(input.a40, {"pretty": true})`, `json.marshal_with_options(input.list, {"indent": substring(input.half, 0, 1000)})`},
	"yaml.is_valid":             {`yaml.is_valid(input.long)`, `yaml.is_valid(concat("\n", [l | some i in numbers.range(1, 20000); l := sprintf("k%d: 1", [i])]))`},
	"yaml.unmarshal": {`yaml.unmarshal(input.deep)`,
		`yaml.unmarshal(concat("", ["{", concat(", ", [l | some i in numbers.range(1, 20000); l := sprintf("k%d: 1", [i])]), "}"]))`,
		`yaml.unmarshal(concat("\n", ["a: &a [b]", concat("\n", [l | some i in numbers.range(1, 20000); l := sprintf("k%d: *a", [i])])]))`,
		`yaml.unmarshal(concat("\n", ["a: &a {", concat(", ", [l | some i in numbers.range(1, 3000); l := sprintf("k%d: 1", [i])]), " }", concat("\n", [l | some i in numbers.range(1, 40); l := sprintf("b%d: *a", [i])])]))`,
		"yaml.unmarshal(concat(\"\\n\", array.concat([\"a0: &a0 [1, 1]\"], [l | some i in numbers.range(1, 40); l := sprintf(\"a%d: &a%d [*a%d, *a%d]\", [i, i, i-1, i-1])])))"},
	"yaml.marshal":             {`yaml.marshal(input.a40)`},
	"graphql.parse":            {`graphql.parse(concat("", ["query {", replace(substring(input.half, 0, 3000), "a", "b "), "}"]), "type Query { b: Int }")`, `graphql.parse(concat("", ["query {", replace(substring(input.half, 0, 1000), "a", "a{a{b}}"), "}"]), "type Query { b: Int }")`, `graphql.parse(concat("", ["query {", concat(" ", [f | some i in numbers.range(1, 1500); f := sprintf("z%d", [i])]), "}"]), concat("", ["type Query {", concat(" ", [f | some i in numbers.range(1, 900); f := sprintf("y%d: Int", [i])]), "}"]))`, `graphql.parse(input.half, "")`},
	"graphql.is_valid":         {`graphql.is_valid(concat("", ["query {", replace(substring(input.half, 0, 3000), "a", "b "), "}"]), "type Query { b: Int }")`, `graphql.is_valid(concat("", ["query {", replace(substring(input.half, 0, 1000), "a", "a{a{b}}"), "}"]), "type Query { b: Int }")`, `graphql.is_valid(concat("", ["query {", concat(" ", [f | some i in numbers.range(1, 1500); f := sprintf("z%d", [i])]), "}"]), concat("", ["type Query {", concat(" ", [f | some i in numbers.range(1, 900); f := sprintf("y%d: Int", [i])]), "}"]))`, `graphql.is_valid(input.half, "")`},
	"graphql.parse_and_verify": {`graphql.parse_and_verify(concat("", ["query {", replace(substring(input.half, 0, 3000), "a", "b "), "}"]), "type Query { b: Int }")`, `graphql.parse_and_verify(concat("", ["query {", replace(substring(input.half, 0, 1000), "a", "a{a{b}}"), "}"]), "type Query { b: Int }")`, `graphql.parse_and_verify(concat("", ["query {", concat(" ", [f | some i in numbers.range(1, 1500); f := sprintf("z%d", [i])]), "}"]), concat("", ["type Query {", concat(" ", [f | some i in numbers.range(1, 900); f := sprintf("y%d: Int", [i])]), "}"]))`, `graphql.parse_and_verify(input.half, "")`},
	"graphql.parse_query":      {`graphql.parse_query(concat("", ["query {", replace(substring(input.half, 0, 3000), "a", "b "), "}"]))`, `graphql.parse_query(input.half)`, `graphql.parse_query(replace(substring(input.half, 0, 10000), "a", "{"))`},
	"graphql.parse_schema":     {`graphql.parse_schema(input.half)`},
	"graphql.schema_is_valid":  {`graphql.schema_is_valid(input.half)`},
	"rego.parse_module":        {`rego.parse_module("a.rego", concat("", ["package a\nx := 1", replace(substring(input.half, 0, 3000), "a", " + 1"), ""]))`, `rego.parse_module("a.rego", concat("", ["package a\nx := 1", replace(substring(input.half, 0, 7000), "a", "-1"), ""]))`, `rego.parse_module("a.rego", concat("", ["package a\nx := 1", replace(substring(input.half, 0, 7000), "a", "|1"), ""]))`, `rego.parse_module("a.rego", concat("", ["package a\nx := 1", replace(substring(input.half, 0, 2500), "a", " in a"), ""]))`, `rego.parse_module("a.rego", concat("", ["package a\nx := 1", replace(substring(input.half, 0, 3000), "a", " == a"), ""]))`, `rego.parse_module("a.rego", concat("", ["package a\nx := 1", replace(substring(input.half, 0, 300), "a", "\n| [a | a := "), concat("", ["1", replace(substring(input.half, 0, 300), "a", "]")])]))`, `rego.parse_module("a.rego", input.deep)`, `rego.parse_module("a.rego", concat("", ["package a\nx := ", replace(substring(input.half, 0, 10000), "a", "[")]))`},
	"semver.compare":           {`semver.compare(input.half, "1.0.0")`}, "semver.is_valid": {`semver.is_valid(input.half)`}, "uuid.parse": {`uuid.parse(input.half)`},
	"time.format":   {`time.format([1, "UTC", input.half])`, `time.format(1e9000)`},
	"time.add_date": {`time.add_date(1e9000, 1, 1, 1)`}, "time.clock": {`time.clock(1e9000)`, `time.clock([0, "Europe/./Paris"])`, `time.clock([0, "Europe//Paris"])`, `time.clock([0, "Europe/Paris/"])`}, "time.date": {`time.date(1e9000)`}, "time.weekday": {`time.weekday(1e9000)`}, "time.diff": {`time.diff(1e9000, 1)`},
	"time.parse_ns": {`time.parse_ns(input.half, "a")`}, "time.parse_rfc3339_ns": {`time.parse_rfc3339_ns(input.half)`}, "time.parse_duration_ns": {`time.parse_duration_ns(input.half)`},
	"crypto.md5": {`crypto.md5(input.long)`}, "crypto.sha1": {`crypto.sha1(input.long)`}, "crypto.sha256": {`crypto.sha256(input.long)`},
	"crypto.hmac.md5": {`crypto.hmac.md5(input.long, "a")`}, "crypto.hmac.sha1": {`crypto.hmac.sha1(input.long, "a")`}, "crypto.hmac.sha256": {`crypto.hmac.sha256(input.long, "a")`}, "crypto.hmac.sha512": {`crypto.hmac.sha512(input.long, "a")`}, "crypto.hmac.equal": {`crypto.hmac.equal(input.long, "a")`},
	"providers.aws.sign_req": {`providers.aws.sign_req({"a": input.a40}, {}, 1)`},
	"net.cidr_contains":      {`net.cidr_contains(input.half, "a")`}, "net.cidr_intersects": {`net.cidr_intersects(input.half, "a")`}, "net.cidr_overlap": {`net.cidr_overlap(input.half, "a")`}, "net.cidr_is_valid": {`net.cidr_is_valid(input.half)`},
	"net.cidr_contains_matches": {`net.cidr_contains_matches([s | some i in numbers.range(1, 1000); s := ["10.0.0.0/8", i][0]], [s | some i in numbers.range(1, 1000); s := ["10.0.0.0/8", i][0]])`},
	"net.cidr_expand":           {`net.cidr_expand("0.0.0.0/0")`, `net.cidr_expand("2001:db8::/64")`, `net.cidr_expand("::/0")`},
	"net.cidr_merge":            {`net.cidr_merge(input.list)`},
	"cast_set":                  {`cast_set([input.a40, input.b40])`},
	"set_diff":                  {`set_diff({input.a40}, {input.b40})`},
}

// notAnExpression are built-ins that no expression of a query can call, or only after the
// compiler was told to; their checks are tried apart.
var notAnExpression = map[string]string{
	"print": "the compiler makes it internal.print", "internal.print": "print statements are left out unless asked for", "internal.test_case": "only in tests",
}

// Each call is refused, by an error that names the built-in, in a process with little
// memory that lives on.
func TestHostileCallsAreRefused(t *testing.T) {
	hostile := withKeys(hostile)
	var names, exprs []string
	for name, r := range table() {
		if r.harmless != "" || notAnExpression[name] != "" {
			continue
		}
		require.NotEmpty(t, hostile[name], "%s is bounded, but no hostile call shows it", name)
	}
	for name, calls := range hostile {
		require.Empty(t, table()[name].harmless, name)
		for _, call := range calls {
			names, exprs = append(names, name), append(exprs, call)
		}
	}
	for i, got := range evaluate(t, "bounded", exprs) {
		short := got[:min(len(got), 300)]
		assert.True(t, strings.HasPrefix(got, "error: "), "%s: %s", exprs[i], short)
		assert.Contains(t, got, names[i]+": ", exprs[i])
		assert.NotContains(t, got, "rego_parse_error", exprs[i])
		assert.Regexp(t, `\d|written|anew|another|collection by its name|format of a printf`, strings.TrimPrefix(got, "error: "), exprs[i])
	}
}

// A call just within the limits takes little time, too.
func TestCallsWithinTheLimitsTakeLittle(t *testing.T) {
	const each = 3 * time.Second // of a processor; what was unbounded took ten and more
	for _, call := range []string{
		`yaml.unmarshal(concat("\n", [l | some i in numbers.range(1, 4000); l := sprintf("k%d: 1", [i])]))`,
		`yaml.unmarshal(concat("\n", ["a: &a {", concat(", ", [l | some i in numbers.range(1, 600); l := sprintf("k%d: 1", [i])]), " }", concat("\n", [l | some i in numbers.range(1, 40); l := sprintf("b%d: *a", [i])])]))`,
		`rego.parse_module("a.rego", concat("", ["package a\nx := ", concat("", ["(1 + " | some i in numbers.range(1, 99)]), concat("", ["1 + " | some i in numbers.range(1, 150)]), "[", concat(", ", ["1" | some i in numbers.range(1, 4000)]), "]", concat("", [")" | some i in numbers.range(1, 99)])]))`,
		`graphql.is_valid(concat("", ["query {", concat(" ", ["b" | some i in numbers.range(1, 500)]), "}"]), "type Query { b: Int }")`,
		`graphql.is_valid(concat("", ["query {", concat(" ", [f | some i in numbers.range(1, 200); f := sprintf("z%d", [i])]), "}"]), concat("", ["type Query {", concat(" ", [f | some i in numbers.range(1, 500); f := sprintf("y%d: Int", [i])]), "}"]))`,
	} {
		answers, took := evaluateTimed(t, "bounded", []string{call})
		require.NotContains(t, answers[0], "error: ", call)
		require.Less(t, took, each, call)
	}
}

func withKeys(calls map[string][]string) map[string][]string {
	for _, f := range []string{"parse_private_keys", "x509.parse_certificates", "x509.parse_certificate_request", "x509.parse_rsa_private_key", "x509.parse_and_verify_certificates"} {
		calls["crypto."+f] = []string{fmt.Sprintf("crypto.%s(input.half)", f)}
	}
	calls["crypto.x509.parse_keypair"] = []string{`crypto.x509.parse_keypair(input.half, "a")`}
	calls["crypto.x509.parse_and_verify_certificates_with_options"] = []string{`crypto.x509.parse_and_verify_certificates_with_options(input.half, {})`}
	calls["io.jwt.decode"] = []string{`io.jwt.decode(input.half)`}
	for name := range table() {
		if strings.HasPrefix(name, "io.jwt.verify_") {
			calls[name] = []string{name + `("a", input.half)`}
		}
	}
	return calls
}
