package server

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Right is what a credential opens.
type Right string

// The rights. None implies another.
const (
	// Read shows the API: all of its GET.
	Read Right = "read"
	// Send hands over events and alerts.
	Send Right = "send"
	// Answer decides for a person: it approves, denies, cancels workflows and sends dead
	// events again.
	Answer Right = "answer"
)

// Rights are those that a credential has.
type Rights []Right

// allRights are those of who runs the process.
var allRights = Rights{Read, Send, Answer}

func (r Rights) has(right Right) bool { return slices.Contains(r, right) }

func (r Rights) String() string {
	words := make([]string, len(r))
	for i, right := range r {
		words[i] = string(right)
	}
	return strings.Join(words, ", ")
}

// mistakes finds words that are no rights, and those that are there twice. Rights that
// are absent are no mistake; an empty list of them would open nothing.
func (r Rights) mistakes() (mistakes mistake.Mistakes) {
	if r != nil && len(r) == 0 {
		mistakes.Add("rights", "must not be empty", "leave it out for [send], or remove the sender")
	}
	for i, right := range r {
		switch {
		case !allRights.has(right):
			mistakes.Add(fmt.Sprintf("rights[%d]", i), fmt.Sprintf("%q is none of %s", right, allRights), "")
		case slices.Contains(r[:i], right):
			mistakes.Add(fmt.Sprintf("rights[%d]", i), fmt.Sprintf("%q is there already", right), "remove one")
		}
	}
	return mistakes
}
