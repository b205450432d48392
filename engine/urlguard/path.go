package urlguard

import (
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decodedMost bounds the decodings of a path. A path that is still encoded then is refused.
const decodedMost = 4

// readPath returns the segments of a path as it is sent, and as it is after each
// decoding. It refuses a path that leaves its folder in any of them.
func readPath(escaped string) ([][]string, error) {
	var out [][]string
	for path := escaped; ; {
		if err := plainPath(path); err != nil {
			return nil, err
		}
		out = append(out, segmentsOf(path))
		next := decodeOnce(path)
		if next == path {
			return out, nil
		}
		if len(out) > decodedMost {
			return nil, errors.New("its path is encoded again and again")
		}
		path = next
	}
}

// segmentsOf are the parts between the slashes; a slash at the end makes none.
func segmentsOf(path string) []string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if last := len(segments) - 1; segments[last] == "" {
		return segments[:last]
	}
	return segments
}

func plainPath(path string) error {
	if !utf8.ValidString(path) {
		return errors.New("its path is not UTF-8")
	}
	for _, r := range path {
		switch {
		case r == '\\':
			return errors.New("its path holds a backslash")
		case r < ' ' || r == 0x7f:
			return errors.New("its path holds a control character")
		case r > unicode.MaxASCII && !unicode.In(r, unicode.Letter, unicode.Number, unicode.Mark):
			return errors.New("its path holds a character outside of ASCII that is no letter") // servers fold some into a dot or a slash
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		name, _, _ := strings.Cut(segment, ";")
		if strings.Contains(name, ".") && strings.Trim(name, ". ") == "" {
			return errors.New("its path has a dot segment")
		}
	}
	return nil
}

var escape = regexp.MustCompile(`%(u[0-9A-Fa-f]{4}|[0-9A-Fa-f]{2})`)

// decodeOnce puts each escape's byte in its place, and leaves what is none: servers that
// stop at a mistake would stop earlier. %u002e is a spelling of old servers.
func decodeOnce(path string) string {
	return escape.ReplaceAllStringFunc(path, func(e string) string {
		if e[1] == 'u' {
			return string(rune(unhex(e[2:])))
		}
		return string([]byte{byte(unhex(e[1:]))})
	})
}

func unhex(digits string) int {
	n := 0
	for _, c := range []byte(strings.ToLower(digits)) {
		if c >= 'a' {
			n = n*16 + int(c-'a') + 10
			continue
		}
		n = n*16 + int(c-'0')
	}
	return n
}
