// Package hostile is what somebody sends who wants to do harm, for tests: bodies of
// requests, and whole requests as they are written to the wire. Nothing in it reaches
// the program.
//
// Start reading at Payloads and at Wires.
package hostile

import (
	"fmt"
	"slices"
	"strings"
)

// The types and media types that payloads have.
const (
	// Type is that of the events. Whoever takes them apart should have a trigger for it.
	Type       = "org.example.hostile"
	Structured = "application/cloudevents+json"
	Batched    = "application/cloudevents-batch+json"
	// Secret is in the data of every payload that has texts in it: no log may have it.
	Secret = "hush-4711"
)

// Payload is one request.
type Payload struct {
	Name string
	Path string
	// Headers are name, value, ...
	Headers []string
	Body    string
	// Status are the answers that are right.
	Status []int
}

// Payloads are all of them. The large ones have about so many bytes: with fewer than a
// few thousand they are not what they are called any more, which is for fuzzing.
func Payloads(large int) []Payload {
	return slices.Concat(structured(large), values(large), batches(large), binary(large), media(large), alerts(large))
}

// repeat is a text again and again, up to about so many bytes.
func repeat(text string, bytes int) string { return strings.Repeat(text, max(bytes/len(text), 1)) }

// list is a JSON array of the same value, of about so many bytes.
func list(value string, bytes int) string { return "[" + repeat(value+",", bytes) + value + "]" }

// members are so many, each written by its number.
func members(n int, format string) string {
	var out strings.Builder
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, format, i)
	}
	return out.String()
}

// object is an event, sound up to what more is.
func object(id, more string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"/hostile","type":"` + Type + `"` + more + `}`
}

func events(mediaType, name, body string, status ...int) Payload {
	return Payload{Name: name, Path: "/v1/events", Headers: []string{"Content-Type", mediaType}, Body: body, Status: status}
}

// attributes are the headers of an event in the binary mode, and more.
func attributes(id string, more ...string) []string {
	return append([]string{"ce-specversion", "1.0", "ce-id", id, "ce-source", "/hostile", "ce-type", Type}, more...)
}
