package manifest

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

var (
	// These errors come from the parser, which counts lines from 0; the scanner counts from 1.
	countsFromZero = regexp.MustCompile(`^(did not find expected (<|node content|'-' indicator|key|',' or)|found (undefined tag|incompatible YAML|duplicate %))`)

	syntaxLine    = regexp.MustCompile(`^line ([0-9]+): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxMistake converts an error of the YAML parser. It does not print the name of an alias,
// which may be a password that begins with *.
func syntaxMistake(file string, data []byte, err error) mistake.Mistake {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	m := mistake.Mistake{File: file, Line: 1, Column: 1, Fix: "check the indentation and the quotes there"}
	if found := syntaxLine.FindStringSubmatch(message); found != nil {
		if line, err := strconv.Atoi(found[1]); err == nil {
			m.Line = line
		}
		if message = message[len(found[0]):]; countsFromZero.MatchString(message) {
			m.Line++
		}
	}
	if found := unknownAnchor.FindStringSubmatch(message); found != nil {
		if at := bytes.Index(data, []byte("*"+found[1])); at >= 0 {
			m.Line, m.Column = lineAndColumn(data, at)
		}
		m.Message, m.Fix = "an alias (*) refers to an anchor (&) that isn't there", "put a text that begins with * in quotes"
		return m
	}
	m.Message = "is not YAML: " + redact(message)
	return m
}

// textMistakes finds the first byte that YAML does not allow. The parser's error would not
// have its line.
func textMistakes(file string, data []byte) mistake.Mistakes {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		message := ""
		switch {
		case r == utf8.RuneError && size <= 1:
			message = fmt.Sprintf("the byte %#02x is not UTF-8 text", data[i])
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			message = fmt.Sprintf("the control character %U can't be in YAML", r)
		}
		if message != "" {
			m := mistake.Mistake{File: file, Message: message, Fix: "save the file as plain UTF-8 text"}
			m.Line, m.Column = lineAndColumn(data, i)
			return mistake.Mistakes{m}
		}
		i += size
	}
	return nil
}

func lineAndColumn(data []byte, at int) (line, column int) {
	before := data[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}
