package plot

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line is text from elsewhere for one line of a terminal: what moves the cursor, ends
// the line, turns its direction or shows nothing is written as Go writes it in a string,
// such as \n, \x1b or \u202e. Nothing else is changed.
func Line(text string) string { return visible(text, "") }

// Text is Line for text of several lines: line ends and tabs stay.
func Text(text string) string { return visible(text, "\n\t") }

// emptyBraille is a pattern without a dot: a space that is none.
const emptyBraille = '\u2800'

// seen reports whether a character shows, and nothing else.
func seen(r rune) bool {
	return strconv.IsPrint(r) && r != emptyBraille && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func visible(text, keep string) string {
	plain := true
	for _, r := range text {
		if r == utf8.RuneError || !seen(r) {
			plain = false
			break
		}
	}
	if plain {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[0]), 16)) // 0x80 at the least
		case seen(r) || strings.ContainsRune(keep, r):
			b.WriteRune(r)
		case strconv.IsPrint(r): // it is there, and nobody sees it
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		text = text[size:]
	}
	return b.String()
}

// JSON is JSON text of which a terminal shows everything: what Line would quote is an
// escape of JSON, and means the same.
func JSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < ' ' || seen(r): // outside of strings there are line ends, and inside of them nothing below a space
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
