package manifest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Mistake is one thing wrong in a manifest: where it is, what it is, how to mend it.
type Mistake struct {
	File string
	// Line and Column count from 1; 0 where the mistake is about the whole file.
	Line, Column int
	// Field is the path in the document: "spec.sensors[0].prometheus.query"; empty
	// where there is none.
	Field   string
	Message string
	// Fix says what to write instead; empty where the message says it all.
	Fix string
}

// String is "FILE:LINE:COLUMN: FIELD: MESSAGE; FIX".
func (m Mistake) String() string {
	where := engine.FileName(m.File)
	if m.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", where, m.Line, m.Column)
	}
	if where == "" {
		return m.sentence()
	}
	return where + ": " + m.sentence()
}

func (m Mistake) sentence() string {
	s := m.Message
	if m.Field != "" {
		s = m.Field + ": " + s
	}
	if m.Fix != "" {
		s += "; " + m.Fix
	}
	return s
}

// Mistakes are all that is wrong, as an error.
type Mistakes []Mistake

// Error is one mistake a line.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Err is the mistakes as an error, nil if there are none.
func (m Mistakes) Err() error {
	if len(m) == 0 {
		return nil
	}
	return m
}

func (m Mistakes) sorted() Mistakes {
	slices.SortStableFunc(m, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return m
}

// splitFix takes a sentence apart at its last "; ".
func splitFix(sentence string) (message, fix string) {
	if i := strings.LastIndex(sentence, "; "); i > 0 {
		return sentence[:i], sentence[i+2:]
	}
	return sentence, ""
}

// shownLength bounds how much of a value a message repeats.
const shownLength = 60

// quote is a value as a message may show it: short, and without the user part of
// a URL, which may be a password.
func quote(value string) string {
	value = redact(value)
	if runes := []rune(value); len(runes) > shownLength {
		value = string(runes[:shownLength]) + "..."
	}
	return fmt.Sprintf("%q", value)
}

// A password may hold any character, so everything up to the last @ of the line goes.
var userPart = regexp.MustCompile(`://[^\n]*@`)

func redact(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	return userPart.ReplaceAllString(s, "://***@")
}

// list is "a, b, c", or "none".
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
