package main

import (
	opa "github.com/open-policy-agent/opa/cmd"
	"github.com/spf13/cobra"
)

// newOPA embeds OPA's command line, built as OPA's own main builds it.
func newOPA() *cobra.Command {
	c := opa.Command(nil, "OPA")
	c.Use = "opa"
	c.Short = "The command line of Open Policy Agent, embedded"
	return group(c)
}
