package plot

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestQuotedForATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"p99 over 500 ms — 'ok' \"x\"": "p99 over 500 ms — 'ok' \"x\"",
		`a\nb`:                         `a\nb`,
		"größer 日本 🙂":                  "größer 日本 🙂",
		"a\nb\rc\td":                   `a\nb\rc\td`,
		"\x1b[2J\x1b[31mred":           `\x1b[2J\x1b[31mred`,
		"\u009b31m":                    `\u009b31m`,
		"\a\b\v\f\x00\x7f":             `\a\b\v\f\x00\x7f`,
		"\u202egnp\u2066x\u2069":       `\u202egnp\u2066x\u2069`,
		"a\u200bb\ufeffc\u00add":       `a\u200bb\ufeffc\u00add`,
		"\u2028\u2029\u0085\u00a0":     `\u2028\u2029\u0085\u00a0`,
		"\u3164\u034f\ufe0f\u115f":     `\u3164\u034f\ufe0f\u115f`,
		"a\u2800b":                     `a\u2800b`,
		"\U000e0041":                   `\U000e0041`,
		"a\xff\xc0\xaeb":               `a\xff\xc0\xaeb`,
		"\ufffd":                       "\ufffd",
	} {
		require.Equal(t, want, Line(text), "%q", text)
	}
	require.Equal(t, "a\n\tb\\rc\\x1b", Text("a\n\tb\rc\x1b"))
}

func TestJSONForATerminalMeansTheSame(t *testing.T) {
	for _, text := range []string{"plain", "a\nb \x1b \u009b \u202e \u200b \U000e0041 é 日本 🙂 \x7f \"q\" \\\\n"} {
		raw, err := json.MarshalIndent(map[string]any{text: []any{text, 1.5, nil}}, "", "  ")
		require.NoError(t, err)
		got := JSON(string(raw))
		require.JSONEq(t, string(raw), got)
		require.Equal(t, got, Text(got), "a terminal shows it as it is")
	}
}

// The quoted text is on one line, of printable characters.
func FuzzLine(f *testing.F) {
	f.Add("a\nb\x1b[0m\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := Line(text)
		require.True(t, utf8.ValidString(got))
		require.Equal(t, got, Line(got))
		require.NotContains(t, got, "\n")
		require.NotContains(t, got, "\x1b")
	})
}

func TestTableCellsAreOnOneLine(t *testing.T) {
	got := Table{Header: []string{"a", "b"}, Rows: [][]string{{"x\nforged  row", "\x1b[2J"}}}.String()
	require.Equal(t, "a               b\n──────────────  ───────\nx\\nforged  row  \\x1b[2J\n", got)
}
