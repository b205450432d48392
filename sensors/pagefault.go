package sensors

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/model/textparse"
)

// longestQuote is how many bytes of a page an error or a problem quotes at once.
const longestQuote = 100

// longQuotes are the texts that the parser quotes and that are longer than a word.
var longQuotes = regexp.MustCompile(`((?:parsing|value:|name:|got) )"(?:\\.|[^"\\]){11,}"`)

// unreadable is an error that says where a page stops being one: at the line after
// those that the parser has taken. Prometheus refuses the whole page then.
func unreadable(err error, parser textparse.Parser, body []byte, taken int) error {
	// The parser quotes as much of the line as it has read, of whatever length.
	what, _, _ := strings.Cut(err.Error(), " while parsing: ")
	// What it quotes is of the line, which follows as a whole: a secret in it is known there.
	what = clip(longQuotes.ReplaceAllString(what, `$1"..."`))
	_, skipsBlanks := parser.(*textparse.PromParser)
	if _, hasLines := parser.(*textparse.OpenMetricsParser); !hasLines && !skipsBlanks {
		return fmt.Errorf("the page of metrics can't be read: %s", what)
	}
	for number := 1; len(body) > 0; number++ {
		var line []byte
		line, body, _ = bytes.Cut(body, []byte{'\n'})
		if skipsBlanks && len(bytes.Trim(line, " \t")) == 0 {
			continue
		}
		if taken == 0 {
			return fmt.Errorf("the page of metrics can't be read: line %d: %s: %q", number, what, clip(string(line)))
		}
		taken--
	}
	return fmt.Errorf("the page of metrics can't be read: after its last line: %s", what)
}

// clip cuts a text that is quoted.
func clip(text string) string { return excerpt(text, longestQuote) }
