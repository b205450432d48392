package jsonscan

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"unicode"
)

// MaxNumber is the most characters that a number may have.
const MaxNumber = 1000

// text reads a text in quotes.
func (s *scan) text() error {
	s.at++ // the quote
	for s.at < len(s.raw) {
		switch c := s.raw[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c < ' ':
			return s.wrong(nil, "has the control character %q at byte %d within a text", rune(c), s.at+1)
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

// escape reads what follows a backslash.
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

// digits reads one digit or more.
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
	s.next('-')
	if !s.next('0') {
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.next('.') {
		if err := s.digits(); err != nil {
			return err
		}
	}
	power := s.at
	if s.next('e') || s.next('E') {
		if !s.next('+') {
			s.next('-')
		}
		if err := s.digits(); err != nil {
			return err
		}
	}
	return s.fits(s.raw[begin:s.at], power-begin)
}

// plainDigits are those of numbers that no float64 is too small or too large for, where
// they have no exponent.
const plainDigits = 300

// fits refuses a number that is not kept as what it says.
func (s *scan) fits(number []byte, mantissa int) error {
	if len(number) > MaxNumber {
		return s.wrong(ErrRefused, "has a number of %d characters, %s; at most %d are read", len(number), shown(number), MaxNumber)
	}
	if mantissa == len(number) && mantissa <= plainDigits {
		return nil
	}
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return s.wrong(ErrRefused, "has the number %s, which is out of range", shown(number))
	}
	if f == 0 && bytes.ContainsAny(number[:mantissa], "123456789") {
		return s.wrong(ErrRefused, "has the number %s, which is too close to 0", shown(number))
	}
	return nil
}

// differ refuses an object with two members of one name. It reorders the names.
func (s *scan) differ(names [][]byte) error {
	for i, name := range names {
		if bytes.IndexByte(name, '\\') >= 0 {
			names[i] = plain(name)
		}
	}
	if len(names) > 8 {
		slices.SortFunc(names, bytes.Compare)
	}
	for i, name := range names {
		before := names[:i]
		if len(names) > 8 { // in order: an equal one is next to it
			before = names[max(i-1, 0):i]
		}
		for _, other := range before {
			if bytes.Equal(name, other) {
				return s.wrong(ErrRefused, "has the member %q twice; keep one", shown(name[1:len(name)-1]))
			}
		}
	}
	return nil
}

// plain is a name without escapes.
func plain(name []byte) []byte {
	var text string
	if json.Unmarshal(name, &text) != nil {
		return name
	}
	return []byte(`"` + text + `"`)
}

// step is a member as a path has it.
func step(name []byte) string {
	text := string(plain(name))
	text = text[1 : len(text)-1]
	if word(text) {
		return "." + text
	}
	return "[" + strconv.Quote(shown([]byte(text))) + "]"
}

func word(text string) bool {
	for _, r := range text {
		if r != '_' && r != '-' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)) {
			return false
		}
	}
	return text != ""
}
