// Package mistake has the one type for an error in what a person wrote or a client sent: an
// Agent manifest, a policy, a workload file, an event, the payload of a webhook.
//
// The package that parses an input finds the place and writes the message. This one sorts
// mistakes and prints them. It reads no input and imports only the standard library. Start
// reading at Mistake.
package mistake

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Mistake is one error in an input: where it is, what it is, and how to correct it. Every
// field but Message may be empty.
type Mistake struct {
	// File is the name of the file, as it was given.
	File string
	// Line and Column count from 1; 0 is unknown.
	Line, Column int
	// Object is the part of an input that holds several: "Deployment mlperf/online", "event 2".
	Object string
	// Path is the field in the document or object: "spec.sensors[0].prometheus.query".
	Path    string
	Message string
	// Fix says what to write instead.
	Fix string
	// Context says what the input is wrong for, where it is right by itself: "for agent ml/a of a.yaml".
	Context string
}

// Error is "FILE:LINE:COLUMN: OBJECT: PATH: MESSAGE; FIX (CONTEXT)", without the parts that are empty. A
// line without a file is not printed.
func (m Mistake) Error() string {
	var b strings.Builder
	if m.File != "" {
		b.WriteString(fileName(m.File))
		for _, n := range []int{m.Line, m.Column} {
			if n > 0 {
				b.WriteString(":" + strconv.Itoa(n))
			}
		}
		b.WriteString(": ")
	}
	for _, part := range []string{m.Object, m.Path} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	b.WriteString(m.Message)
	if m.Fix != "" {
		b.WriteString("; " + m.Fix)
	}
	if m.Context != "" {
		b.WriteString(" (" + m.Context + ")")
	}
	return b.String()
}

// fileName quotes a name with a character that can't be printed: a line break in it would
// start a line of output that the file's author wrote.
func fileName(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// Key appends a key of a mapping to a path: `headers.Accept`, or `cooldown["model.promote"]`
// for a key that is not a plain name.
func Key(path, key string) string {
	for i, r := range key {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return fmt.Sprintf("%s[%q]", path, key)
		}
	}
	if key == "" {
		return path + `[""]`
	}
	return path + "." + key
}
