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

// answer is what the API takes of a person's. Who answers is what the credential says; By
// is who the request claims it is for, and recorded as that.
type attribution struct {
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
}

// What an answer may say, in characters.
const (
	maxByLength  = 200
	maxWhyLength = 1000
)

// add gives a command the flags for it; who is the person in their help.
func (a *attribution) add(c *cobra.Command, who string) {
	c.Flags().StringVar(&a.By, "by", "", who+", where that is not whom the token stands for; the journal has it as a claim")
	c.Flags().StringVar(&a.Why, "why", "", "why, for the journal")
}

// check is an error where a text is too long, or would not be what it seems to be in a
// log or on a screen. prefix is what comes before the names of the two.
func (a *attribution) validate(prefix string) error {
	for _, text := range []struct {
		name, value string
		longest     int
	}{{"by", a.By, maxByLength}, {"why", a.Why, maxWhyLength}} {
		if n := utf8.RuneCountInString(text.value); n > text.longest {
			return fmt.Errorf("%s%s: has %d characters, and may have %d; shorten it", prefix, text.name, n, text.longest)
		}
		if strings.ContainsFunc(text.value, misleading) || !utf8.ValidString(text.value) {
			return fmt.Errorf("%s%s: has a control character; write it on one line, in plain text", prefix, text.name)
		}
	}
	return nil
}

// misleading reports whether a character moves the others, or the cursor.
func misleading(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// readAnswer takes the answer out of a request.
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
