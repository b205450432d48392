package plot

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Color is a colour of the terminal's own palette.
type Color int

const (
	Plain Color = iota
	Red
	Green
	Yellow
	Blue
	Magenta
	Cyan
	Grey
)

// codes are the colours' parameters in an ANSI escape sequence.
var codes = [...]string{Plain: "", Red: "31", Green: "32", Yellow: "33", Blue: "34", Magenta: "35", Cyan: "36", Grey: "90"}

// Paint colours text if on. Empty text stays empty.
func Paint(on bool, c Color, text string) string {
	if !on || text == "" || c <= Plain || int(c) >= len(codes) {
		return text
	}
	return "\x1b[" + codes[c] + "m" + text + "\x1b[0m"
}

// Terminal reports whether w is a terminal, and its width in columns (0 if it is
// none, or does not say).
func Terminal(w io.Writer) (yes bool, width int) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false, 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return true, 0
	}
	return true, width
}

// Colorful reports whether to colour what is written to w: it is a terminal that
// is not a dumb one, and NO_COLOR (no-color.org) is unset or empty. getenv is os.Getenv.
func Colorful(w io.Writer, getenv func(string) string) bool {
	yes, _ := Terminal(w)
	return yes && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// Width is how wide to draw on w: the terminal's width, within 60 and 120
// columns, or 90 where w is none.
func Width(w io.Writer) int {
	_, width := Terminal(w)
	if width == 0 {
		return defaultWidth
	}
	return min(max(width-1, 60), 120)
}
