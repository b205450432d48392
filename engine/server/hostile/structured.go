package hostile

import (
	"fmt"
	"strings"
)

// structured are single events with invalid attributes, and invalid bodies.
func structured(large int) (out []Payload) {
	add := func(name, more string, status ...int) {
		out = append(out, events(Structured, name, object(name, more), status...))
	}
	whole := func(name, body string, status ...int) { out = append(out, events(Structured, name, body, status...)) }
	attribute := func(name, attribute, value string, status ...int) {
		all := map[string]string{"specversion": `"1.0"`, "id": fmt.Sprintf("%q", name), "source": `"/hostile"`, "type": fmt.Sprintf("%q", Type)}
		all[attribute] = value
		var members []string
		for k, v := range all {
			members = append(members, fmt.Sprintf("%q:%s", k, v))
		}
		whole(name, "{"+strings.Join(members, ",")+"}", status...)
	}
	long := `"` + repeat("x", min(large, 1<<20)) + `"`
	for _, name := range []string{"id", "source", "type", "subject", "time", "datacontenttype", "specversion", "scanflowhops", "scanflowsender"} {
		attribute("a "+name+" of 1 MB", name, long, 400)
		attribute("a line break in "+name, name, `"a\nb"`, 400)
		attribute("an escape sequence in "+name, name, `"\u001b[2J\u001b[31mroot"`, 400)
	}
	attribute("NUL in the id", "id", `"a\u0000b"`, 400)
	attribute("half a surrogate as the id", "id", `"\ud800"`, 400)
	attribute("an id of spaces", "id", `"   "`, 400)
	attribute("an id that is an object", "id", `{"a":1}`, 400)
	attribute("an id that is a number of a million digits", "id", repeat("7", min(large, 1<<20)), 400)
	attribute("a source with a bad port", "source", `"http://a:b:c"`, 400)
	attribute("a subject with a byte order in it", "subject", `"a\u202eb"`, 202)
	attribute("a time before time", "time", `"0001-01-01T00:00:00Z"`, 400)
	attribute("a time after time", "time", `"9999-12-31T23:59:59Z"`, 400)
	attribute("a time of no calendar", "time", `"2026-02-30T25:61:61Z"`, 400)
	attribute("a time far ahead", "time", `"2199-12-31T23:59:59Z"`, 202)
	attribute("a time long past", "time", `"1970-01-01T00:00:00Z"`, 202)
	attribute("a time in zone 99", "time", `"2026-01-01T00:00:00+99:99"`, 400)
	attribute("hops beyond 32 bits", "scanflowhops", `99999999999`, 400)
	attribute("hops below zero", "scanflowhops", `-1`, 400)
	attribute("hops beyond the limit", "scanflowhops", `17`, 403)
	attribute("a sender that it is not", "scanflowsender", `"api"`, 202)

	add("an attribute twice", `,"subject":"a","subject":"b"`, 400)
	add("an attribute twice, once escaped", `,"subject":"a","\u0073ubject":"b"`, 400)
	add("extensions by thousands", ","+members(large/100, `"ext%d":"x"`), 202)
	add("bad extensions by thousands", ","+members(large/100, `"Ext-%d":"x"`), 400)
	add("extensions that are objects by thousands", ","+members(large/100, `"ext%d":{}`), 400, 413)
	add("a name of 1 MB", `,"`+repeat("n", min(large, 1<<20))+`":1`, 202)
	add("a bad name of 1 MB", `,"`+repeat("N", min(large, 1<<20))+`":1`, 400)
	add("data beside data_base64", `,"data":1,"data_base64":"MQ=="`, 400)
	add("Base64 that is none", `,"data_base64":"`+repeat("?", large)+`"`, 400)
	add("data of bytes", `,"datacontenttype":"application/octet-stream","data":"x"`, 400)

	whole("nothing", "", 400)
	whole("null", "null", 400)
	whole("a number", "1", 400)
	whole("a text", `"event"`, 400)
	whole("a list", "["+object("a list", "")+"]", 400)
	whole("two events", object("two", "")+object("events", ""), 400)
	whole("spaces", repeat(" ", large), 400)
	whole("quotes of another language", strings.ReplaceAll(object("quotes", ""), `"`, `'`), 400)
	whole("a byte order mark", "\ufeff"+object("mark", ""), 400)
	whole("bad UTF-8", object("bad UTF-8", `,"data":"`+"\xff\xfe"+`"`), 400)
	whole("overlong UTF-8", object("overlong", `,"data":"`+"\xc0\xaf"+`"`), 400)
	whole("a surrogate in UTF-8", object("cesu", `,"data":"`+"\xed\xa0\x80"+`"`), 400)
	whole("a raw NUL", object("raw NUL", `,"data":"`+"\x00"+`"`), 400)
	whole("a raw escape", object("raw escape", `,"data":"`+"\x1b"+`"`), 400)
	whole("cut within a text", object("cut", `,"data":"`)[:len(object("cut", `,"data":"`))-2], 400)
	return out
}
