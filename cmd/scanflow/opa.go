package main

import (
	opa "github.com/open-policy-agent/opa/cmd"
	"github.com/spf13/cobra"
)

// newOPA is the whole OPA command line, as its own main builds it, so that nobody
// has to install it.
func newOPA() *cobra.Command {
	c := opa.Command(nil, "OPA")
	c.Use = "opa"
	c.Short = "The command line of Open Policy Agent, embedded"
	return group(c)
}
