package jsonscan

// Members calls found for each member of an object, in the order of the text, until it
// returns false. name and value are slices of the text; name has no quotes, and still has its
// escapes. Check must have accepted the text. A value that is not an object has no members.
func Members(raw []byte, found func(name, value []byte) bool) {
	s := scan{raw: raw}
	s.skipSpace()
	if !s.accept('{') {
		return
	}
	for s.skipSpace(); s.at < len(raw) && raw[s.at] == '"'; s.skipSpace() {
		name := s.skip()
		s.skipSpace()
		s.accept(':')
		s.skipSpace()
		if !found(name[1:len(name)-1], s.skip()) {
			return
		}
		s.skipSpace()
		s.accept(',')
	}
}

// skip moves past the value at the current byte and returns it.
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
