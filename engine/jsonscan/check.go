package jsonscan

import "fmt"

// Limits bound a text. Each must be above 0.
type Limits struct {
	// Values is the most values that it may have: texts, numbers, true, false, null,
	// arrays and objects, inner ones too.
	Values int
	// Depth is how deep arrays and objects may be nested.
	Depth int
}

// Check reports what is wrong with a text: that it is not one JSON value, or is beyond a
// limit. It returns how many values the text has.
//
// A number is refused where a float64 cannot hold it, or where it has more than
// MaxNumber characters; an object is refused where two of its members have one name:
// readers differ in which of them counts. The error is an *Error.
func Check(raw []byte, l Limits) (values int, err error) {
	s := scan{raw: raw, limits: l}
	s.space()
	if err := s.value(0); err != nil {
		return 0, err
	}
	if s.space(); s.at < len(raw) {
		return 0, s.wrong(ErrMore, "is followed by more, at byte %d", s.at+1)
	}
	return s.values, nil
}

// Each is Check for an array, element by element: found is called after each with its
// number, from 0, its text, a part of raw, and how many values it has. Depth is that of
// an element, and Values that of the whole. An error of found ends it, and is returned; of
// an *Error, Path begins with the element's number.
func Each(raw []byte, l Limits, found func(n int, element []byte, values int) error) error {
	s := scan{raw: raw, limits: l, values: 1}
	if s.space(); !s.next('[') {
		return s.unexpected("an array")
	}
	if s.space(); !s.next(']') {
		for n, more := 0, true; more; n++ {
			s.space()
			begin, before := s.at, s.values
			err := s.value(0)
			if err != nil {
				return within(fmt.Sprintf("[%d]", n), err)
			}
			if err := found(n, raw[begin:s.at], s.values-before); err != nil {
				return err
			}
			s.space()
			if more = s.next(','); !more && !s.next(']') {
				return s.unexpected("a comma or ]")
			}
		}
	}
	if s.space(); s.at < len(raw) {
		return s.wrong(ErrMore, "is followed by more, at byte %d", s.at+1)
	}
	return nil
}

// scan stands at a byte of a text.
type scan struct {
	raw    []byte
	at     int
	limits Limits
	values int
	names  [][]byte // of the members of all objects that are open
}

func (s *scan) space() {
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// next reports whether the byte is here, and goes on after it.
func (s *scan) next(c byte) bool {
	if s.at < len(s.raw) && s.raw[s.at] == c {
		s.at++
		return true
	}
	return false
}

// value reads one value, which depth arrays and objects are around.
func (s *scan) value(depth int) error {
	if s.values++; s.values > s.limits.Values {
		return s.wrong(ErrTooMany, "has more than %d JSON values", s.limits.Values)
	}
	if s.at >= len(s.raw) {
		return s.unexpected("a value")
	}
	switch c := s.raw[s.at]; {
	case c == '{' || c == '[':
		if depth == s.limits.Depth {
			return s.wrong(ErrTooDeep, "is nested more than %d deep", s.limits.Depth)
		}
		s.at++
		if c == '[' {
			return s.array(depth + 1)
		}
		return s.object(depth + 1)
	case c == '"':
		return s.text()
	case c == '-' || digit(c):
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.unexpected("a value")
}

func (s *scan) word(word string) error {
	for i := range len(word) {
		if !s.next(word[i]) {
			return s.unexpected(word)
		}
	}
	return nil
}

func (s *scan) array(depth int) error {
	if s.space(); s.next(']') {
		return nil
	}
	for n := 0; ; n++ {
		s.space()
		if err := s.value(depth); err != nil {
			return within(fmt.Sprintf("[%d]", n), err)
		}
		if s.space(); s.next(']') {
			return nil
		}
		if !s.next(',') {
			return s.unexpected("a comma or ]")
		}
	}
}

func (s *scan) object(depth int) error {
	first := len(s.names)
	if s.space(); s.next('}') {
		return nil
	}
	for {
		s.space()
		begin := s.at
		if s.at >= len(s.raw) || s.raw[s.at] != '"' {
			return s.unexpected(`a name in "`)
		}
		if err := s.text(); err != nil {
			return err
		}
		name := s.raw[begin:s.at]
		s.names = append(s.names, name)
		if s.space(); !s.next(':') {
			return s.unexpected("a colon")
		}
		s.space()
		if err := s.value(depth); err != nil {
			return within(step(name), err)
		}
		if s.space(); s.next('}') {
			err := s.differ(s.names[first:])
			s.names = s.names[:first]
			return err
		}
		if !s.next(',') {
			return s.unexpected("a comma or }")
		}
	}
}
