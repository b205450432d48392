package server

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Right is a permission.
type Right string

// The rights. None implies another.
const (
	// Read allows all GET requests to the API.
	Read Right = "read"
	// Send allows sending events and alerts.
	Send Right = "send"
	// Answer allows decisions of a person: to approve, deny, cancel workflows and resend dead
	// letters.
	Answer Right = "answer"
)

// Rights are the rights of a credential.
type Rights []Right

// allRights are the rights of the operator.
var allRights = Rights{Read, Send, Answer}

func (r Rights) has(right Right) bool { return slices.Contains(r, right) }

func (r Rights) String() string {
	words := make([]string, len(r))
	for i, right := range r {
		words[i] = string(right)
	}
	return strings.Join(words, ", ")
}

// mistakes returns unknown and duplicate rights, and an empty list, which would be useless. A
// missing list is no mistake.
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
