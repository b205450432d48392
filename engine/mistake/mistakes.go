package mistake

import (
	"cmp"
	"slices"
	"strings"
)

// Mistakes are all the errors that were found in an input, as one error.
type Mistakes []Mistake

// Add appends a mistake about a field.
func (ms *Mistakes) Add(path, message, fix string) {
	*ms = append(*ms, Mistake{Path: path, Message: message, Fix: fix})
}

// Lines are the mistakes as texts.
func (ms Mistakes) Lines() []string {
	var lines []string
	for _, m := range ms {
		lines = append(lines, m.Error())
	}
	return lines
}

// Error is one mistake a line.
func (ms Mistakes) Error() string { return strings.Join(ms.Lines(), "\n") }

// Err is the mistakes as an error, nil if there are none.
func (ms Mistakes) Err() error {
	if len(ms) == 0 {
		return nil
	}
	return ms
}

// Sorted sorts the mistakes in place by file, line and column, and drops repeated ones.
// Mistakes at one place keep their order.
func (ms Mistakes) Sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ms)
}
