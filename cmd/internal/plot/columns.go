package plot

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Columns returns how many columns of a terminal a text takes. A wide character, as of
// Chinese or an emoji, takes two, and a combining mark none.
func Columns(text string) int {
	n := 0
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r < 0x300 { // no mark and no wide character is below
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Clip shortens a text to a number of columns. A text that was shortened ends with "…".
func Clip(text string, most int) string {
	if Columns(text) <= most {
		return text
	}
	if most < 1 {
		return ""
	}
	return strings.TrimRight(prefix(text, most-1), " ") + "…"
}

// ClipMiddle is Clip for a name whose end says as much as its beginning: it leaves out the
// middle.
func ClipMiddle(text string, most int) string {
	if Columns(text) <= most || most < 3 {
		return Clip(text, most)
	}
	runes := []rune(text)
	used, from := 0, len(runes)
	for used < most/2 {
		w := runeColumns(runes[from-1])
		if used+w > most/2 {
			break
		}
		used += w
		from--
	}
	for from < len(runes) && runeColumns(runes[from]) == 0 { // a mark without its letter
		from++
	}
	head := Clip(text, most-used)
	return strings.TrimSuffix(head, "…") + "…" + string(runes[from:])
}
