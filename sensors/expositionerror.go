package sensors

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/model/textparse"
)

// maxQuoteBytes bounds a quote of a page in an error, in bytes.
const maxQuoteBytes = 100

// longQuotes matches the quotes in a parser's error that are longer than a word.
var longQuotes = regexp.MustCompile(`((?:parsing|value:|name:|got) )"(?:\\.|[^"\\]){11,}"`)

// parseError adds the line to the error of a parser: the one after the lines that the parser
// has read. Prometheus refuses the whole page in this case.
func parseError(err error, parser textparse.Parser, body []byte, linesRead int) error {
	// The parser quotes all that it has read of the line, without a limit.
	what, _, _ := strings.Cut(err.Error(), " while parsing: ")
	// Its quotes are cut. The line itself is appended, and secrets in it are redacted there.
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
		if linesRead == 0 {
			return fmt.Errorf("the page of metrics can't be read: line %d: %s: %q", number, what, clip(string(line)))
		}
		linesRead--
	}
	return fmt.Errorf("the page of metrics can't be read: after its last line: %s", what)
}

// clip cuts a quoted text to maxQuoteBytes.
func clip(text string) string { return excerpt(text, maxQuoteBytes) }
