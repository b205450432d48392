package main

import (
	"strconv"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

const (
	// mostLine is how many characters a line of the text log about a decision or an act has at
	// most.
	mostLine = 160
	// linePrefix is the longest text before the message: the time with the offset of its zone,
	// the level, and the name of the logger.
	linePrefix = len("2026-03-01T12:00:00.000+01:00 [INFO]  scanflow: ")
)

// logField is a field of a line that has a length.
type logField struct {
	key, value string
	// least is to how many characters the value may be shortened, -1 if not at all. A field of
	// least 0 is left out before it would say nothing.
	least int
}

// columns is how many characters the field takes in a line, with quotes where it needs them.
func (f logField) columns() int {
	value := plot.Line(f.value)
	if strings.ContainsAny(value, ` "'=\`) || value == "" {
		value = strconv.Quote(value)
	}
	return len(" ") + len(f.key) + len("=") + len([]rune(value))
}

// shortened shortens the value by some characters, and reports whether anything is left.
func (f *logField) shortened(by int) bool {
	value := []rune(f.value)
	keep := max(len(value)-by, max(f.least, 0))
	if f.least == 0 && keep < 12 {
		return false
	}
	if keep < len(value) {
		f.value = string(value[:max(keep-1, 0)]) + "…"
	}
	return true
}

// fitLine shortens fields, the last ones first, until a line with this message is short enough. It
// returns the arguments for the logger.
func fitLine(message string, fields []logField) []any {
	kept := make([]logField, 0, len(fields))
	for _, f := range fields {
		if f.value != "" {
			kept = append(kept, f)
		}
	}
	over := func() int {
		n := linePrefix + len(message) + len(":") - mostLine
		for _, f := range kept {
			n += f.columns()
		}
		return n
	}
	for i := len(kept) - 1; i >= 0; i-- {
		for by := over(); by > 0 && kept[i].least >= 0; by = over() {
			before := kept[i].value
			if !kept[i].shortened(by) {
				kept = append(kept[:i], kept[i+1:]...)
				break
			}
			if kept[i].value == before {
				break
			}
		}
	}
	args := make([]any, 0, 2*len(kept))
	for _, f := range kept {
		args = append(args, f.key, f.value)
	}
	return args
}
