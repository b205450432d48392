package bounded

import (
	"path"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// check returns an error if a call is refused. args are the operands as OPA passes them;
// one more than declared is the term that the result is unified with.
type check func(args []*ast.Term) error

// rule is the limit of one built-in. Exactly one field is set.
type rule struct {
	// harmless is the reason why no call needs much time or memory.
	harmless string
	check    check
	// instead replaces the built-in.
	instead func(name string, stock topdown.BuiltinFunc) topdown.BuiltinFunc
}

const (
	constant    = "it looks at one value and gives a small one"
	onePassOnly = "it reads its text once and gives no more than that"
	shallow     = "it copies references to what is there"
	core        = "the core evaluates it, and the watchdog of the caller bounds that"
	off         = "policies may not call it"
)

func harmless(why string) rule { return rule{harmless: why} }
func by(c check) rule          { return rule{check: c} }

// table returns a rule for every built-in of this version of OPA. A test fails if one is
// missing, for example after an update.
func table() map[string]rule {
	all := map[string]rule{}
	for _, part := range []map[string]rule{numberRules(), textRules(), collectionRules(), formatRules(), otherRules()} {
		for name, r := range part {
			all[name] = r
		}
	}
	return all
}

func numberRules() map[string]rule {
	return map[string]rule{
		"abs": by(numbers), "ceil": by(numbers), "floor": by(numbers), "round": by(numbers),
		"plus": by(numbers), "mul": by(sumOfDigits), "div": by(sumOfDigits), "rem": by(sumOfDigits),
		"minus":    by(subtracted),
		"bits.and": by(numbers), "bits.or": by(numbers), "bits.xor": by(numbers), "bits.negate": by(numbers), "bits.rsh": by(numbers),
		"bits.lsh":           by(shiftLeft),
		"sum":                by(sum),
		"product":            by(product),
		"numbers.range":      by(numberRange(false)),
		"numbers.range_step": by(numberRange(true)),
		"format_int":         by(numbers),
		"to_number":          by(parsed),
		"units.parse":        by(parsed),
		"units.parse_bytes":  by(parsed),
		"rand.intn":          harmless(off),
	}
}

func textRules() map[string]rule {
	return map[string]rule{
		"contains": harmless(onePassOnly), "startswith": harmless(onePassOnly), "endswith": harmless(onePassOnly), "strings.count": harmless(onePassOnly),
		"substring": harmless(onePassOnly), "strings.reverse": harmless(onePassOnly),
		"trim_space": harmless(onePassOnly), "trim_prefix": harmless(onePassOnly), "trim_suffix": harmless(onePassOnly),
		"trim": by(trimmed), "trim_left": by(trimmed), "trim_right": by(trimmed),
		"lower": by(text(MaxText)), "upper": by(text(MaxText)),
		"indexof": by(searched), "indexof_n": by(everyIndex),
		"split": by(parts), "strings.split_n": by(parts),
		"concat": by(joined), "replace": by(replaced), "strings.replace_n": by(replacedAll),
		"sprintf": by(printed), "print": by(shown), "internal.print": by(shown), "internal.template_string": by(shown),
		"internal.test_case":       by(shown),
		"trace":                    by(text(MaxText)),
		"strings.any_prefix_match": by(written(0, 1)), "strings.any_suffix_match": by(written(0, 1)),
		"strings.render_template": by(rendered),
		"regex.match":             by(matched(0, 1)), "re_match": by(matched(0, 1)),
		"regex.find_n": by(foundAll(0, 1)), "regex.split": by(foundAll(0, 1)),
		"regex.find_all_string_submatch_n": by(submatches), "regex.replace": by(regexReplaced),
		"regex.is_valid": by(pattern), "regex.template_match": by(templateMatched), "regex.globs_match": by(globs(0, 1)),
		"glob.match": by(globs(0, 2)), "glob.quote_meta": by(text(MaxText)),
	}
}

func collectionRules() map[string]rule {
	return map[string]rule{
		"eq": harmless(core), "assign": harmless(core),
		"equal": {instead: equality(true)}, "neq": {instead: equality(false)},
		"lt": {instead: ordered(func(c int) bool { return c < 0 })}, "lte": {instead: ordered(func(c int) bool { return c <= 0 })},
		"gt": {instead: ordered(func(c int) bool { return c > 0 })}, "gte": {instead: ordered(func(c int) bool { return c >= 0 })},
		"internal.member_2": by(member(0, 1)), "internal.member_3": by(needle(0, 1)),
		"count": harmless(constant), "any": harmless(shallow), "all": harmless(shallow),
		"max": by(written(0)), "min": by(written(0)), "sort": by(written(0)),
		"and": by(written(0, 1)), "or": by(written(0, 1)), "set_diff": by(written(0, 1)),
		"intersection": by(written(0)), "union": by(written(0)),
		"array.concat": by(concatenated), "array.flatten": by(flattened),
		"array.reverse": harmless(shallow), "array.slice": harmless(shallow),
		"cast_array": harmless(shallow), "cast_set": by(written(0)), "cast_object": harmless(shallow),
		"cast_boolean": harmless(constant), "cast_null": harmless(constant), "cast_string": harmless(constant),
		"object.get": by(needle(1)), "object.keys": harmless(shallow),
		"object.filter": by(written(0, 1)), "object.remove": by(written(0, 1)), "object.subset": by(subset),
		"object.union": by(written(0, 1)), "object.union_n": by(written(0)),
		"json.filter": by(written(0, 1)), "json.remove": by(written(0, 1)), "json.patch": by(patched),
		"walk":            by(written(0)),
		"graph.reachable": {instead: reachable}, "graph.reachable_paths": by(paths),
		"is_array": harmless(constant), "is_boolean": harmless(constant), "is_null": harmless(constant), "is_number": harmless(constant),
		"is_object": harmless(constant), "is_set": harmless(constant), "is_string": harmless(constant), "type_name": harmless(constant),
	}
}

func formatRules() map[string]rule {
	coded := by(text(MaxText))
	return map[string]rule{
		"base64.decode": coded, "base64.encode": coded, "base64.is_valid": coded, "base64url.decode": coded, "base64url.encode": coded,
		"base64url.encode_no_pad": coded, "hex.decode": coded, "hex.encode": coded, "urlquery.decode": coded, "urlquery.encode": coded,
		"urlquery.decode_object": coded, "urlquery.encode_object": by(writtenText), "uri.is_valid": coded, "uri.parse": coded,
		"json.is_valid": coded, "json.unmarshal": by(readJSON), "json.marshal": by(writtenText), "json.marshal_with_options": by(indented),
		"json.match_schema": harmless(off), "json.verify_schema": harmless(off),
		"yaml.is_valid": by(readYAML), "yaml.unmarshal": by(readYAML), "yaml.marshal": by(writtenText),
		"graphql.is_valid": by(query), "graphql.parse": by(query), "graphql.parse_and_verify": by(query),
		"graphql.parse_query": by(query), "graphql.parse_schema": by(language), "graphql.schema_is_valid": by(language),
		"rego.parse_module": by(module), "rego.metadata.chain": harmless(constant), "rego.metadata.rule": harmless(constant),
		"semver.compare": by(text(MaxProgram)), "semver.is_valid": by(text(MaxProgram)), "uuid.parse": by(text(MaxProgram)), "uuid.rfc4122": harmless(off),
		"time.add_date": by(numbers), "time.clock": by(timed), "time.date": by(timed), "time.diff": by(timed), "time.format": by(timed),
		"time.weekday": by(timed), "time.now_ns": harmless(off), "time.parse_duration_ns": by(text(MaxProgram)),
		"time.parse_ns": by(text(MaxProgram)), "time.parse_rfc3339_ns": by(text(MaxProgram)),
	}
}

func otherRules() map[string]rule {
	digest, key := by(text(MaxText)), by(language)
	rules := map[string]rule{
		"crypto.md5": digest, "crypto.sha1": digest, "crypto.sha256": digest,
		"crypto.hmac.equal": digest, "crypto.hmac.md5": digest, "crypto.hmac.sha1": digest, "crypto.hmac.sha256": digest, "crypto.hmac.sha512": digest,
		"crypto.parse_private_keys": key, "crypto.x509.parse_and_verify_certificates": key,
		"crypto.x509.parse_and_verify_certificates_with_options": key, "crypto.x509.parse_certificate_request": key,
		"crypto.x509.parse_certificates": key, "crypto.x509.parse_keypair": key, "crypto.x509.parse_rsa_private_key": key,
		"io.jwt.decode": key, "io.jwt.decode_verify": harmless(off), "io.jwt.encode_sign": harmless(off), "io.jwt.encode_sign_raw": harmless(off),
		"providers.aws.sign_req": by(writtenText), "http.send": harmless(off), "opa.runtime": harmless(off),
		"net.cidr_contains": by(text(MaxProgram)), "net.cidr_intersects": by(text(MaxProgram)), "net.cidr_overlap": by(text(MaxProgram)),
		"net.cidr_is_valid": by(text(MaxProgram)), "net.lookup_ip_addr": harmless(off),
		"net.cidr_contains_matches": by(pairs), "net.cidr_expand": by(expanded), "net.cidr_merge": by(merged),
	}
	for _, family := range []string{"eddsa", "es256", "es384", "es512", "hs256", "hs384", "hs512", "ps256", "ps384", "ps512", "rs256", "rs384", "rs512"} {
		rules["io.jwt.verify_"+family] = key
	}
	return rules
}

// timed bounds a time, or a time with a zone and a layout. It accepts one spelling of a zone.
func timed(args []*ast.Term) error {
	for i, t := range args {
		if !Within(t.Value, MaxProgram) {
			return refuse("operand %d is longer than %d bytes; pass on a shorter one", i+1, MaxProgram)
		}
		list, ok := t.Value.(*ast.Array)
		if !ok {
			list = ast.NewArray(t)
		}
		if list.Len() > 0 {
			if err := numbers([]*ast.Term{list.Elem(0)}); err != nil {
				return err
			}
		}
		if list.Len() > 1 {
			// OPA caches each zone by its spelling.
			if zone, ok := list.Elem(1).Value.(ast.String); ok && zone != "" && path.Clean(string(zone)) != string(zone) {
				return refuse("%.60q is another spelling of a time zone; write it as in the IANA database, like Europe/Berlin", string(zone))
			}
		}
	}
	return nil
}

// Unlimited returns the built-ins that have no limits because policies can't call them.
func Unlimited() []string {
	var out []string
	for name, r := range table() {
		if r.harmless == off {
			out = append(out, name)
		}
	}
	return out
}
