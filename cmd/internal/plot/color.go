package plot

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Color is a color of the terminal's palette.
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

// codes are the parameters of the ANSI escape sequences.
var codes = [...]string{Plain: "", Red: "31", Green: "32", Yellow: "33", Blue: "34", Magenta: "35", Cyan: "36", Grey: "90"}

// Paint colors text if on is set. Empty text stays empty.
func Paint(on bool, c Color, text string) string {
	if !on || text == "" || c <= Plain || int(c) >= len(codes) {
		return text
	}
	return "\x1b[" + codes[c] + "m" + text + "\x1b[0m"
}

// Terminal reports whether w is a terminal, and returns its width in columns, or 0 if
// that is not known.
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

// Colorful reports whether output to w may have colors: w is a terminal, TERM is not
// dumb, and NO_COLOR (no-color.org) is unset or empty. getenv is os.Getenv.
func Colorful(w io.Writer, getenv func(string) string) bool {
	yes, _ := Terminal(w)
	return yes && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// Width returns the width of charts on w: the terminal's width, clamped to 60 and 120
// columns, or 90 if w is not a terminal.
func Width(w io.Writer) int {
	_, width := Terminal(w)
	if width == 0 {
		return defaultWidth
	}
	return min(max(width-1, 60), 120)
}
