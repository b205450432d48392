package sensors

import (
	"bytes"
	"errors"
	"fmt"
)

// checkAnswer finds what the client of Prometheus' API takes for a number and is none: it
// reads null, and what is missing of a sample, as zero, and any status but "error" as
// success. What is not JSON, or of another form, is for the client to refuse.
func checkAnswer(body []byte) error {
	a := answer{raw: body}
	status, reason := []byte("absent"), []byte(nil)
	a.members(func(key []byte) {
		begin := a.at
		switch string(key) {
		case `"status"`:
			a.skip()
			status = a.raw[begin:a.at]
		case `"error"`:
			a.skip()
			reason = a.raw[begin:a.at]
		case `"data"`:
			a.data()
		default:
			a.skip()
		}
	})
	switch {
	case a.broken:
		return nil
	case string(status) == `"error"` && len(reason) > len(`""`):
		return nil
	case string(status) == `"error"`:
		return errors.New(`answered with the status "error" and without a reason; is this a Prometheus?`)
	case string(status) != `"success"`:
		return fmt.Errorf(`its status is not "success", but %s; is this a Prometheus?`, short(string(status)))
	}
	return a.err
}

// answer stands at a byte of a text that should be JSON. It looks at no more of it than it
// must to find its way.
type answer struct {
	raw    []byte
	at     int
	broken bool  // it does not find its way
	err    error // of the first sample that is none
}

func (a *answer) data() {
	if a.peek() != '{' {
		a.skip()
		return
	}
	a.members(func(key []byte) {
		if string(key) == `"result"` {
			a.result()
		} else {
			a.skip()
		}
	})
}

// result is a list of series, or the one sample of a scalar.
func (a *answer) result() {
	begin := a.at
	if a.peek() != '[' {
		a.skip()
		return
	}
	a.at++
	first := a.peek()
	a.at = begin
	switch first {
	case '{':
		a.elements(a.series)
	case ']', 'n': // no series, or null for one: the client keeps that apart
		a.skip()
	default:
		a.sample()
	}
}

func (a *answer) series() {
	if a.peek() != '{' {
		a.skip()
		return
	}
	a.members(func(key []byte) {
		switch string(key) {
		case `"value"`:
			a.sample()
		case `"values"`:
			if a.peek() != '[' {
				a.wrong(a.value())
				return
			}
			a.elements(a.sample)
		default:
			a.skip()
		}
	})
}

// sample is a time and a number in quotes. Whether the text is a number is for the client,
// but that it reads those of Go's source: 1_000, 0x1p4.
func (a *answer) sample() {
	begin, n, fits := a.at, 0, true
	if a.peek() == '[' {
		a.elements(func() {
			value := a.value()
			switch n++; {
			case len(value) == 0:
			case n == 1:
				fits = value[0] == '-' || '0' <= value[0] && value[0] <= '9'
			case n == 2:
				fits = fits && value[0] == '"' && !ofGo(value)
			}
		})
		if n == 2 && fits || a.broken {
			return
		}
		a.wrong(a.raw[begin:a.at])
		return
	}
	a.wrong(a.value())
}

func ofGo(number []byte) bool {
	for _, c := range number {
		if c == '_' || c == 'x' || c == 'X' {
			return true
		}
	}
	return false
}

func (a *answer) wrong(what []byte) {
	if a.err == nil {
		a.err = fmt.Errorf("the answer has %s where there should be a time and a number in quotes; is this a Prometheus?", short(string(bytes.TrimSpace(what))))
	}
}

// members calls f at the value of each member of an object, with its key in quotes.
func (a *answer) members(f func(key []byte)) {
	a.each('{', '}', func() {
		if a.peek() != '"' {
			a.broken = true
			return
		}
		key := a.value()
		if a.peek() != ':' {
			a.broken = true
			return
		}
		a.at++
		a.peek()
		f(key)
	})
}

// elements calls f at each element of an array.
func (a *answer) elements(f func()) { a.each('[', ']', f) }

func (a *answer) each(open, end byte, f func()) {
	if a.peek() != open {
		a.broken = true
		return
	}
	a.at++
	if a.peek() == end {
		a.at++
		return
	}
	for !a.broken {
		a.peek()
		f()
		switch c := a.peek(); {
		case a.broken:
		case c == end:
			a.at++
			return
		case c == ',':
			a.at++
		default:
			a.broken = true
		}
	}
}

// peek is the next byte that is no white space; 0 at the end.
func (a *answer) peek() byte {
	for ; a.at < len(a.raw); a.at++ {
		switch c := a.raw[a.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// value is the text of the next value, behind which it then stands.
func (a *answer) value() []byte {
	a.peek()
	begin := a.at
	a.skip()
	return a.raw[begin:a.at]
}

// skip goes behind the next value.
func (a *answer) skip() {
	depth := 0
	for {
		switch a.peek() {
		case 0:
			a.broken = true
			return
		case '"':
			a.quoted()
		case '{', '[':
			depth++
			a.at++
		case '}', ']':
			if depth == 0 {
				a.broken = true
				return
			}
			depth--
			a.at++
		case ',', ':':
			if depth == 0 {
				a.broken = true
				return
			}
			a.at++
		default:
			a.word()
		}
		if depth == 0 || a.broken {
			return
		}
	}
}

// word goes behind a number, or a word like null.
func (a *answer) word() {
	for ; a.at < len(a.raw); a.at++ {
		switch a.raw[a.at] {
		case ' ', '\t', '\r', '\n', ',', ':', ']', '}', '"':
			return
		}
	}
}

// quoted goes behind a text in quotes.
func (a *answer) quoted() {
	for a.at++; ; {
		n := bytes.IndexByte(a.raw[a.at:], '"')
		if n < 0 {
			a.at, a.broken = len(a.raw), true
			return
		}
		a.at += n + 1
		slashes := 0
		for i := a.at - 2; a.raw[i] == '\\'; i-- {
			slashes++
		}
		if slashes%2 == 0 {
			return
		}
	}
}
