package server

import (
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Caller is the authenticated sender of a request.
type Caller struct {
	engine.Sender
	rights Rights
	// recordedAs is the name for the journal, if it differs from the sender's name.
	recordedAs string
}

// operator is a caller with all rights.
func operator(as string) Caller {
	return Caller{Sender: engine.Sender{Name: engine.OperatorSender}, rights: allRights, recordedAs: as}
}

// By returns the caller's name for the journal, followed by the name that the request claims,
// if any. The claimed name is quoted, so that it can't be mistaken for anything else.
func (c Caller) By(claimed string) string {
	by := c.Name
	if c.recordedAs != "" {
		by = c.recordedAs
	}
	if claimed == "" || claimed == c.Name {
		return by
	}
	return fmt.Sprintf("%s, for %q (claimed)", by, claimed)
}
