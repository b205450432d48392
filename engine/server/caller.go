package server

import (
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Caller is who makes a request, as its credential says.
type Caller struct {
	engine.Sender
	rights Rights
	// as is how the credential is written down, where that is not the sender's name.
	as string
}

// operator is who has the whole API.
func operator(as string) Caller {
	return Caller{Sender: engine.Sender{Name: engine.OperatorSender}, rights: allRights, as: as}
}

// By is who answers, for the journal: what the credential says, and behind it the name
// that the request claims, "" for none. That name is quoted, so that it reads as nothing
// else.
func (c Caller) By(claimed string) string {
	by := c.Name
	if c.as != "" {
		by = c.as
	}
	if claimed == "" || claimed == c.Name {
		return by
	}
	return fmt.Sprintf("%s, for %q (claimed)", by, claimed)
}
