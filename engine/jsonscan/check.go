package jsonscan

import "fmt"

// Limits are the bounds of a JSON text. Each must be above 0.
type Limits struct {
	// Values is the maximum number of values: strings, numbers, true, false, null, arrays
	// and objects, at any depth.
	Values int
	// Depth is the maximum depth of nested arrays and objects.
	Depth int
}

// Check validates that a text is one JSON value within the limits, and returns how many
// values it has.
//
// It rejects a number that a float64 can't represent or that has more than MaxNumber
// characters, and an object with two members of the same name, since parsers differ in which
// one they use. The error is an *Error.
func Check(raw []byte, l Limits) (values int, err error) {
	s := scan{raw: raw, limits: l}
	s.skipSpace()
	if err := s.value(0); err != nil {
		return 0, err
	}
	if s.skipSpace(); s.at < len(raw) {
		return 0, s.errorf(ErrMore, "is followed by more, at byte %d", s.at+1)
	}
	return s.values, nil
}

// Each is Check for an array. It calls found after each element, with the index, the text as
// a slice of raw, and the number of values in it. The limit Depth applies to an element,
// Values to the whole array. Each returns the first error of found. The Path of an *Error
// begins with the index of the element.
func Each(raw []byte, l Limits, found func(n int, element []byte, values int) error) error {
	s := scan{raw: raw, limits: l, values: 1}
	if s.skipSpace(); !s.accept('[') {
		return s.unexpected("an array")
	}
	if s.skipSpace(); !s.accept(']') {
		for n, more := 0, true; more; n++ {
			s.skipSpace()
			begin, before := s.at, s.values
			err := s.value(0)
			if err != nil {
				return within(fmt.Sprintf("[%d]", n), err)
			}
			if err := found(n, raw[begin:s.at], s.values-before); err != nil {
				return err
			}
			s.skipSpace()
			if more = s.accept(','); !more && !s.accept(']') {
				return s.unexpected("a comma or ]")
			}
		}
	}
	if s.skipSpace(); s.at < len(raw) {
		return s.errorf(ErrMore, "is followed by more, at byte %d", s.at+1)
	}
	return nil
}

// scan is the state of a scan of a text.
type scan struct {
	raw    []byte
	at     int
	limits Limits
	values int
	names  [][]byte // of the members of all objects around the current byte
}

func (s *scan) skipSpace() {
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// accept reports whether the current byte is c, and then moves past it.
func (s *scan) accept(c byte) bool {
	if s.at < len(s.raw) && s.raw[s.at] == c {
		s.at++
		return true
	}
	return false
}

// value scans one value at a depth.
func (s *scan) value(depth int) error {
	if s.values++; s.values > s.limits.Values {
		return s.errorf(ErrTooMany, "has more than %d JSON values", s.limits.Values)
	}
	if s.at >= len(s.raw) {
		return s.unexpected("a value")
	}
	switch c := s.raw[s.at]; {
	case c == '{' || c == '[':
		if depth == s.limits.Depth {
			return s.errorf(ErrTooDeep, "is nested more than %d deep", s.limits.Depth)
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
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.unexpected("a value")
}

func (s *scan) literal(word string) error {
	for i := range len(word) {
		if !s.accept(word[i]) {
			return s.unexpected(word)
		}
	}
	return nil
}

func (s *scan) array(depth int) error {
	if s.skipSpace(); s.accept(']') {
		return nil
	}
	for n := 0; ; n++ {
		s.skipSpace()
		if err := s.value(depth); err != nil {
			return within(fmt.Sprintf("[%d]", n), err)
		}
		if s.skipSpace(); s.accept(']') {
			return nil
		}
		if !s.accept(',') {
			return s.unexpected("a comma or ]")
		}
	}
}

func (s *scan) object(depth int) error {
	first := len(s.names)
	if s.skipSpace(); s.accept('}') {
		return nil
	}
	for {
		s.skipSpace()
		begin := s.at
		if s.at >= len(s.raw) || s.raw[s.at] != '"' {
			return s.unexpected(`a name in "`)
		}
		if err := s.text(); err != nil {
			return err
		}
		name := s.raw[begin:s.at]
		s.names = append(s.names, name)
		if s.skipSpace(); !s.accept(':') {
			return s.unexpected("a colon")
		}
		s.skipSpace()
		if err := s.value(depth); err != nil {
			return within(pathStep(name), err)
		}
		if s.skipSpace(); s.accept('}') {
			err := s.checkDuplicates(s.names[first:])
			s.names = s.names[:first]
			return err
		}
		if !s.accept(',') {
			return s.unexpected("a comma or }")
		}
	}
}
