package plot

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line makes foreign text safe for one line of a terminal. Characters that move the
// cursor, end the line, change its direction or are invisible are escaped as in Go
// strings, such as \n, \x1b or \u202e.
func Line(text string) string { return escape(text, "") }

// Text is Line for text of several lines. Line ends and tabs stay.
func Text(text string) string { return escape(text, "\n\t") }

// emptyBraille is the braille pattern without dots, which looks like a space.
const emptyBraille = '\u2800'

// visible reports whether a character is visible and has no other effect.
func visible(r rune) bool {
	return strconv.IsPrint(r) && r != emptyBraille && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func escape(text, keep string) string {
	plain := true
	for _, r := range text {
		if r == utf8.RuneError || !visible(r) {
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
		case visible(r) || strings.ContainsRune(keep, r):
			b.WriteRune(r)
		case strconv.IsPrint(r): // printable but invisible
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		text = text[size:]
	}
	return b.String()
}

// JSON makes JSON text safe for a terminal. It replaces what Line would escape by an
// equivalent JSON escape.
func JSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < ' ' || visible(r): // JSON has control characters only outside of strings
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
