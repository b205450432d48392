package jsonscan

// Members calls back for each member of an object, in the order of the text, until found
// is false. The name and the value are parts of the text; the name is without its quotes
// and with its escapes. The text is one that Check let pass, and is not looked at again;
// one that is no object has no members.
func Members(raw []byte, found func(name, value []byte) bool) {
	s := scan{raw: raw}
	s.space()
	if !s.next('{') {
		return
	}
	for s.space(); s.at < len(raw) && raw[s.at] == '"'; s.space() {
		name := s.skip()
		s.space()
		s.next(':')
		s.space()
		if !found(name[1:len(name)-1], s.skip()) {
			return
		}
		s.space()
		s.next(',')
	}
}

// skip is the value that begins here.
func (s *scan) skip() []byte {
	begin := s.at
	for depth := 0; s.at < len(s.raw); {
		switch s.raw[s.at] {
		case '"':
			s.skipText()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':', ' ', '\t', '\n', '\r':
			s.at++
			continue // between the values of an array or an object
		default:
			s.skipWord()
		}
		if depth == 0 {
			return s.raw[begin:s.at]
		}
	}
	return s.raw[begin:s.at]
}

func (s *scan) skipText() {
	for s.at++; s.at < len(s.raw); s.at++ {
		switch s.raw[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return
		}
	}
}

// skipWord skips a number, true, false or null.
func (s *scan) skipWord() {
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case ',', ':', '}', ']', ' ', '\t', '\n', '\r':
			return
		}
		s.at++
	}
}
