package manifest

import (
	"fmt"
	"regexp"
	"strings"
)

// shownLength bounds how much of a value a message repeats.
const shownLength = 60

// quote is a value as a message may show it: short, and without the user part of
// a URL, which may be a password.
func quote(value string) string {
	value = redact(value)
	if runes := []rune(value); len(runes) > shownLength {
		value = string(runes[:shownLength]) + "..."
	}
	return fmt.Sprintf("%q", value)
}

// A password may hold any character, so everything up to the last @ of the line goes.
var userPart = regexp.MustCompile(`://[^\n]*@`)

func redact(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	return userPart.ReplaceAllString(s, "://***@")
}

// list is "a, b, c", or "none".
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
