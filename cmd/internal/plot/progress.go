package plot

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Progress is a progress bar. On a terminal it is redrawn in place; elsewhere it prints
// a line for each quarter. It is not safe for concurrent use.
type Progress struct {
	w        io.Writer
	label    string
	terminal bool
	color    bool
	width    int // of the terminal, in columns
	now      func() time.Time
	drawn    time.Time
	quarter  int
	ended    bool
}

const (
	barWidth = 28
	// redraw is the minimal interval between two redraws on a terminal.
	redraw = 80 * time.Millisecond
)

// NewProgress returns a bar on w. getenv is os.Getenv, now is time.Now.
func NewProgress(w io.Writer, label string, getenv func(string) string, now func() time.Time) *Progress {
	terminal, _ := Terminal(w)
	return &Progress{w: w, label: label, terminal: terminal && getenv("TERM") != "dumb", color: Colorful(w, getenv), width: Width(w), now: now, quarter: -1}
}

// Update shows how much of total (more than 0) is done, with a note. At done = total it
// draws the bar for the last time and ends its line. Write errors are ignored.
func (p *Progress) Update(done, total int, note string) {
	if p.ended {
		return
	}
	done = min(max(done, 0), total)
	p.ended = done == total
	percent := 100 * done / max(total, 1)
	if !p.terminal {
		if q := percent / 25; q != p.quarter {
			p.quarter = q
			_, _ = fmt.Fprintf(p.w, "%s: %d%%%s\n", p.label, 25*q, spaced(note))
		}
		return
	}
	if now := p.now(); p.ended || now.Sub(p.drawn) >= redraw {
		p.drawn = now
		_, _ = io.WriteString(p.w, "\r"+p.bar(done, total, percent, note)+"\x1b[K"+strings.Repeat("\n", count(p.ended)))
	}
}

// bar renders the bar in eighths of a column, at most as wide as the terminal.
func (p *Progress) bar(done, total, percent int, note string) string {
	eighths := barWidth * 8 * done / max(total, 1)
	full := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		full += string(rune('█' + 8 - rest)) // U+2588 is full, U+258F one eighth
	}
	empty := strings.Repeat("░", barWidth-utf8.RuneCountInString(full))
	tail := []rune(fmt.Sprintf(" %3d%%%s", percent, spaced(note)))
	room := max(0, p.width-utf8.RuneCountInString(p.label)-1-barWidth)
	if len(tail) > room {
		tail = tail[:room]
	}
	return p.label + " " + Paint(p.color, Green, full) + Paint(p.color, Grey, empty) + string(tail)
}

func spaced(note string) string {
	if note == "" {
		return ""
	}
	return "  " + note
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
