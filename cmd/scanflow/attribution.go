package main

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/engine/server"
)

// attribution is the body of a request that decides or cancels something for a user. The
// credential says who the user is; By is a claim by the request, and recorded as one.
type attribution struct {
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
}

// Limits of the texts, in characters.
const (
	maxByLength  = 200
	maxWhyLength = 1000
)

// add declares the flags. who describes the user in the help.
func (a *attribution) add(c *cobra.Command, who string) {
	c.Flags().StringVar(&a.By, "by", "", who+", where that is not whom the token stands for; the journal has it as a claim")
	c.Flags().StringVar(&a.Why, "why", "", "why, for the journal")
}

// validate refuses a text that is too long, or has characters that change how a log or a
// terminal shows it. prefix precedes the field's name in the error.
func (a *attribution) validate(prefix string) error {
	for _, text := range []struct {
		name, value string
		limit       int
	}{{"by", a.By, maxByLength}, {"why", a.Why, maxWhyLength}} {
		if n := utf8.RuneCountInString(text.value); n > text.limit {
			return fmt.Errorf("%s%s: has %d characters, and may have %d; shorten it", prefix, text.name, n, text.limit)
		}
		if strings.ContainsFunc(text.value, misleading) || !utf8.ValidString(text.value) {
			return fmt.Errorf("%s%s: has a control character; write it on one line, in plain text", prefix, text.name)
		}
	}
	return nil
}

// misleading reports whether a character changes the order or place of others on a terminal.
func misleading(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// readAttribution decodes and validates the body of a request.
func readAttribution(r *http.Request) (attribution, error) {
	var a attribution
	if err := readJSON(r, &a); err != nil {
		return a, err
	}
	if err := a.validate(""); err != nil {
		return a, fmt.Errorf("%w: %w", server.ErrBadRequest, err)
	}
	return a, nil
}
