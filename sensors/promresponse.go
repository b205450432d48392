package sensors

import (
	"bytes"
	"errors"
	"fmt"
)

// checkResponse returns an error for a response that the client of Prometheus' API would
// misread: the client decodes null and missing parts of a sample as zero, and takes any status
// but "error" for success. Responses that are not JSON, or have another structure, are left to
// the client.
func checkResponse(body []byte) error {
	s := responseScanner{raw: body}
	status, reason := []byte("absent"), []byte(nil)
	s.eachMember(func(key []byte) {
		begin := s.pos
		switch string(key) {
		case `"status"`:
			s.skip()
			status = s.raw[begin:s.pos]
		case `"error"`:
			s.skip()
			reason = s.raw[begin:s.pos]
		case `"data"`:
			s.data()
		default:
			s.skip()
		}
	})
	switch {
	case s.broken:
		return nil
	case string(status) == `"error"` && len(reason) > len(`""`):
		return nil
	case string(status) == `"error"`:
		return errors.New(`answered with the status "error" and without a reason; is this a Prometheus?`)
	case string(status) != `"success"`:
		return fmt.Errorf(`its status is not "success", but %s; is this a Prometheus?`, shorten(string(status)))
	}
	return s.err
}

// responseScanner walks through the JSON of a response and parses as little of it as possible.
type responseScanner struct {
	raw    []byte
	pos    int
	broken bool  // the JSON is invalid or has an unknown structure
	err    error // of the first invalid sample
}

func (s *responseScanner) data() {
	if s.peek() != '{' {
		s.skip()
		return
	}
	s.eachMember(func(key []byte) {
		if string(key) == `"result"` {
			s.result()
		} else {
			s.skip()
		}
	})
}

// result scans a list of series, or the one sample of a scalar.
func (s *responseScanner) result() {
	begin := s.pos
	if s.peek() != '[' {
		s.skip()
		return
	}
	s.pos++
	first := s.peek()
	s.pos = begin
	switch first {
	case '{':
		s.eachElement(s.series)
	case ']', 'n': // no series, or null for a series: the client distinguishes them
		s.skip()
	default:
		s.sample()
	}
}

func (s *responseScanner) series() {
	if s.peek() != '{' {
		s.skip()
		return
	}
	s.eachMember(func(key []byte) {
		switch string(key) {
		case `"value"`:
			s.sample()
		case `"values"`:
			if s.peek() != '[' {
				s.fail(s.value())
				return
			}
			s.eachElement(s.sample)
		default:
			s.skip()
		}
	})
}

// sample checks a pair of a time and a number in quotes. The client validates the number,
// except that it accepts the syntax of Go literals: 1_000, 0x1p4.
func (s *responseScanner) sample() {
	begin, n, fits := s.pos, 0, true
	if s.peek() == '[' {
		s.eachElement(func() {
			value := s.value()
			switch n++; {
			case len(value) == 0:
			case n == 1:
				fits = value[0] == '-' || '0' <= value[0] && value[0] <= '9'
			case n == 2:
				fits = fits && value[0] == '"' && !isGoLiteral(value)
			}
		})
		if n == 2 && fits || s.broken {
			return
		}
		s.fail(s.raw[begin:s.pos])
		return
	}
	s.fail(s.value())
}

func isGoLiteral(number []byte) bool {
	for _, c := range number {
		if c == '_' || c == 'x' || c == 'X' {
			return true
		}
	}
	return false
}

func (s *responseScanner) fail(what []byte) {
	if s.err == nil {
		s.err = fmt.Errorf("the answer has %s where there should be a time and a number in quotes; is this a Prometheus?", shorten(string(bytes.TrimSpace(what))))
	}
}

// eachMember calls f at the value of each member of an object, with its quoted key.
func (s *responseScanner) eachMember(f func(key []byte)) {
	s.eachItem('{', '}', func() {
		if s.peek() != '"' {
			s.broken = true
			return
		}
		key := s.value()
		if s.peek() != ':' {
			s.broken = true
			return
		}
		s.pos++
		s.peek()
		f(key)
	})
}

// eachElement calls f at each element of an array.
func (s *responseScanner) eachElement(f func()) { s.eachItem('[', ']', f) }

func (s *responseScanner) eachItem(open, end byte, f func()) {
	if s.peek() != open {
		s.broken = true
		return
	}
	s.pos++
	if s.peek() == end {
		s.pos++
		return
	}
	for !s.broken {
		s.peek()
		f()
		switch c := s.peek(); {
		case s.broken:
		case c == end:
			s.pos++
			return
		case c == ',':
			s.pos++
		default:
			s.broken = true
		}
	}
}

// peek returns the next byte that is not white space; 0 at the end.
func (s *responseScanner) peek() byte {
	for ; s.pos < len(s.raw); s.pos++ {
		switch c := s.raw[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// value returns the text of the next value and moves behind it.
func (s *responseScanner) value() []byte {
	s.peek()
	begin := s.pos
	s.skip()
	return s.raw[begin:s.pos]
}

// skip moves behind the next value.
func (s *responseScanner) skip() {
	depth := 0
	for {
		switch s.peek() {
		case 0:
			s.broken = true
			return
		case '"':
			s.skipString()
		case '{', '[':
			depth++
			s.pos++
		case '}', ']':
			if depth == 0 {
				s.broken = true
				return
			}
			depth--
			s.pos++
		case ',', ':':
			if depth == 0 {
				s.broken = true
				return
			}
			s.pos++
		default:
			s.skipLiteral()
		}
		if depth == 0 || s.broken {
			return
		}
	}
}

// skipLiteral moves behind a number, true, false or null.
func (s *responseScanner) skipLiteral() {
	for ; s.pos < len(s.raw); s.pos++ {
		switch s.raw[s.pos] {
		case ' ', '\t', '\r', '\n', ',', ':', ']', '}', '"':
			return
		}
	}
}

// skipString moves behind a string.
func (s *responseScanner) skipString() {
	for s.pos++; ; {
		n := bytes.IndexByte(s.raw[s.pos:], '"')
		if n < 0 {
			s.pos, s.broken = len(s.raw), true
			return
		}
		s.pos += n + 1
		slashes := 0
		for i := s.pos - 2; s.raw[i] == '\\'; i-- {
			slashes++
		}
		if slashes%2 == 0 {
			return
		}
	}
}
