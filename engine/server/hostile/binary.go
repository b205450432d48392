package hostile

import "fmt"

// binary are events in binary mode.
func binary(large int) (out []Payload) {
	add := func(name, body string, headers []string, status ...int) {
		out = append(out, Payload{Name: name, Path: "/v1/events", Headers: headers, Body: body, Status: status})
	}
	json := []string{"Content-Type", "application/json"}
	with := func(id string, more ...string) []string { return append(attributes(id, more...), json...) }
	add("no headers", "{}", json, 400)
	add("headers missing", "{}", append([]string{"ce-id", "1"}, json...), 400)
	add("a header twice", "{}", with("twice", "ce-subject", "a", "ce-subject", "b"), 400)
	add("the id twice", "{}", with("once", "ce-id", "twice"), 400)
	add("the id twice, in capitals", "{}", with("once", "CE-ID", "twice"), 400)
	add("a line break in a header", "{}", with("break", "ce-subject", "a%0Ab"), 400)
	add("a header within a header", "{}", with("within", "ce-subject", "a%0D%0ASet-Cookie:%20x"), 400)
	add("NUL in a header", "{}", with("NUL", "ce-subject", "%00"), 400)
	add("an escape sequence in a header", "{}", with("sequence", "ce-subject", "%1B[2J"), 400)
	add("an overlong encoding in a header", "{}", with("overlong", "ce-subject", "%C0%AF"), 400)
	add("percent signs", "{}", with("percent", "ce-subject", "%%%41%zz%"), 202)
	add("a header of 60 KB", "{}", with("long", "ce-subject", repeat("x", min(large, 60_000))), 400)
	add("a header of 1 MB", "{}", with("longer", "ce-subject", repeat("x", min(large, 1<<20))), 400, 431)
	add("a bad name of a header", "{}", with("name", "ce-my_own", "1"), 400)
	add("the media type in a header", "{}", with("type", "ce-datacontenttype", "text/plain"), 400)
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("ce-ext%d", i), "x")
	}
	add("a thousand headers", "{}", with("thousand", many...), 202)
	many = nil
	for i := range 20_000 {
		many = append(many, fmt.Sprintf("ce-ext%d", i), "x")
	}
	add("twenty thousand headers", "{}", with("twenty", many...), 431)
	add("a body of empty arrays", list("[]", large), with("arrays"), 413)
	add("a body nested to the bottom", repeat("[", large), with("bottom"), 400)
	add("a body of two values", "1 2", with("two"), 400)
	add("a body of no JSON", "<html>", with("none"), 400)
	add("a body of bad UTF-8", "\"\xff\"", with("bad"), 400)
	add("a body of no type", "x", attributes("untyped"), 415)
	add("a text of bad UTF-8", "\xff", append(attributes("text"), "Content-Type", "text/plain"), 400)
	add("a huge text of a body", Secret+repeat("\x00", large), append(attributes("huge"), "Content-Type", "text/plain"), 202)
	return out
}

// media are bodies with a wrong type or encoding.
func media(large int) (out []Payload) {
	add := func(name string, headers []string, body string, status ...int) {
		out = append(out, Payload{Name: name, Path: "/v1/events", Headers: headers, Body: body, Status: status})
	}
	good := object("media", "")
	zipped := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + repeat("\x00", large)
	for _, coding := range []string{"gzip", "deflate", "br", "identity, gzip", "GZIP"} {
		add("encoded as "+coding, []string{"Content-Type", Structured, "Content-Encoding", coding}, zipped, 415)
	}
	for _, kind := range []string{"application/cloudevents+avro", "application/cloudevents-batch+xml", Structured + "; charset=utf-16", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ";;;", "application/octet-stream"} {
		add("of the type "+kind, append(attributes("media"), "Content-Type", kind), good, 415)
	}
	add("a type of 60 KB", []string{"Content-Type", Structured + "; a=" + repeat("x", min(large, 60_000))}, good, 202, 415)
	return out
}
