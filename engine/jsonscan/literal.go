package jsonscan

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"unicode"
)

// MaxNumber is the maximum length of a number, in characters.
const MaxNumber = 1000

// text scans a string.
func (s *scan) text() error {
	s.at++ // the quote
	for s.at < len(s.raw) {
		switch c := s.raw[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c < ' ':
			return s.errorf(nil, "has the control character %q at byte %d within a text", rune(c), s.at+1)
		case c == '\\':
			s.at++
			if err := s.escape(); err != nil {
				return err
			}
		default:
			s.at++
		}
	}
	return s.unexpected("a text")
}

// escape scans what follows a backslash.
func (s *scan) escape() error {
	if s.at >= len(s.raw) || bytes.IndexByte([]byte(`"\/bfnrtu`), s.raw[s.at]) < 0 {
		return s.unexpected(`one of "\/bfnrtu`)
	}
	point := s.raw[s.at] == 'u'
	s.at++
	for i := 0; point && i < 4; i++ {
		if s.at >= len(s.raw) || !hex(s.raw[s.at]) {
			return s.unexpected("a hexadecimal digit")
		}
		s.at++
	}
	return nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func hex(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// digits scans one or more digits.
func (s *scan) digits() error {
	if s.at >= len(s.raw) || !digit(s.raw[s.at]) {
		return s.unexpected("a digit")
	}
	for s.at < len(s.raw) && digit(s.raw[s.at]) {
		s.at++
	}
	return nil
}

func (s *scan) number() error {
	begin := s.at
	s.accept('-')
	if !s.accept('0') {
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.accept('.') {
		if err := s.digits(); err != nil {
			return err
		}
	}
	power := s.at
	if s.accept('e') || s.accept('E') {
		if !s.accept('+') {
			s.accept('-')
		}
		if err := s.digits(); err != nil {
			return err
		}
	}
	return s.checkNumber(s.raw[begin:s.at], power-begin)
}

// maxPlainDigits are those of numbers that no float64 is too small or too large for, where
// they have no exponent.
const maxPlainDigits = 300

// checkNumber rejects a number that a float64 can't represent.
func (s *scan) checkNumber(number []byte, mantissa int) error {
	if len(number) > MaxNumber {
		return s.errorf(ErrRefused, "has a number of %d characters, %s; at most %d are read", len(number), clip(number), MaxNumber)
	}
	if mantissa == len(number) && mantissa <= maxPlainDigits {
		return nil
	}
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return s.errorf(ErrRefused, "has the number %s, which is out of range", clip(number))
	}
	if f == 0 && bytes.ContainsAny(number[:mantissa], "123456789") {
		return s.errorf(ErrRefused, "has the number %s, which is too close to 0", clip(number))
	}
	return nil
}

// checkDuplicates rejects an object with two members of the same name. It reorders the names.
func (s *scan) checkDuplicates(names [][]byte) error {
	for i, name := range names {
		if bytes.IndexByte(name, '\\') >= 0 {
			names[i] = unescape(name)
		}
	}
	if len(names) > 8 {
		slices.SortFunc(names, bytes.Compare)
	}
	for i, name := range names {
		before := names[:i]
		if len(names) > 8 { // sorted: equal names are adjacent
			before = names[max(i-1, 0):i]
		}
		for _, other := range before {
			if bytes.Equal(name, other) {
				return s.errorf(ErrRefused, "has the member %q twice; keep one", clip(name[1:len(name)-1]))
			}
		}
	}
	return nil
}

// unescape returns a name in quotes without its escapes.
func unescape(name []byte) []byte {
	var text string
	if json.Unmarshal(name, &text) != nil {
		return name
	}
	return []byte(`"` + text + `"`)
}

// pathStep is the step of a path to a member.
func pathStep(name []byte) string {
	text := string(unescape(name))
	text = text[1 : len(text)-1]
	if plainName(text) {
		return "." + text
	}
	return "[" + strconv.Quote(clip([]byte(text))) + "]"
}

func plainName(text string) bool {
	for _, r := range text {
		if r != '_' && r != '-' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)) {
			return false
		}
	}
	return text != ""
}
