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

// The types and media types of the payloads.
const (
	// Type is the type of the events. The receiver should have a trigger for it.
	Type       = "org.example.hostile"
	Structured = "application/cloudevents+json"
	Batched    = "application/cloudevents-batch+json"
	// Secret is in the data of every payload with texts. No log may contain it.
	Secret = "hush-4711"
)

// Payload is one request.
type Payload struct {
	Name string
	Path string
	// Headers are name, value, ...
	Headers []string
	Body    string
	// Status are the accepted statuses.
	Status []int
}

// Payloads returns all payloads. The large ones have about that many bytes. With fewer than a
// few thousand they no longer match their names, which is good enough for fuzzing.
func Payloads(large int) []Payload {
	return slices.Concat(structured(large), values(large), batches(large), binary(large), media(large), alerts(large))
}

// repeat repeats a text up to about that many bytes.
func repeat(text string, bytes int) string { return strings.Repeat(text, max(bytes/len(text), 1)) }

// list is a JSON array of equal values, of about that many bytes.
func list(value string, bytes int) string { return "[" + repeat(value+",", bytes) + value + "]" }

// members formats n members of an object by their index.
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

// object is a valid event, if the additional fields are valid.
func object(id, more string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"/hostile","type":"` + Type + `"` + more + `}`
}

func events(mediaType, name, body string, status ...int) Payload {
	return Payload{Name: name, Path: "/v1/events", Headers: []string{"Content-Type", mediaType}, Body: body, Status: status}
}

// attributes are the headers of an event in binary mode, and further ones.
func attributes(id string, more ...string) []string {
	return append([]string{"ce-specversion", "1.0", "ce-id", id, "ce-source", "/hostile", "ce-type", Type}, more...)
}
