package manifest

import (
	"fmt"
	"regexp"
	"strings"
)

// shownLength bounds how much of a value a message repeats.
const shownLength = 60

// quote quotes a value for a message. It cuts a long one, and hides the user part of a URL,
// which may be a password.
func quote(value string) string {
	value = redact(value)
	if runes := []rune(value); len(runes) > shownLength {
		value = string(runes[:shownLength]) + "..."
	}
	return fmt.Sprintf("%q", value)
}

// A password may contain any character, so userPart matches up to the last @ of the line.
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
