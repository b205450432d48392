package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

func newClaims() *cobra.Command {
	var o clientFlags
	var zone screenZone
	var asJSON bool
	c := &cobra.Command{
		Use:   "claims",
		Short: "List who is writing what: the claims that are held on targets",
		Long: `Asks a running scanflow for the claims on its targets. A claim is the field that an
act writes (replicas, traffic, model, workflow/NAME, ...). While an agent holds it,
another agent's proposal for it is refused; after the act it cools down, and what was
written stays held against other agents, for as long as the agent's guards say. It
ends by itself at the time given at the latest.

What agents of its peers (--peer) hold is listed too, as it was last heard.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var held []engine.HeldClaim
			if err := o.get(cmd.Context(), "/v1/claims", nil, &held); err != nil {
				return err
			}
			if asJSON {
				return writeLine(cmd.OutOrStdout(), held)
			}
			if len(held) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "nothing is held")
				return err
			}
			table := plot.Table{Header: []string{"target", "claim", "held by", "with", "state", zone.head("since"), "until at the latest"}}
			for _, h := range held {
				by := h.Agent
				if h.Peer != "" {
					by += " at " + h.Peer
				}
				table.Rows = append(table.Rows, []string{h.Target, h.Claim, by, h.Verb + " of " + h.Strategy, h.State, zone.stamp(h.Since), zone.stamp(h.Until)})
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), table.String())
			return err
		},
	}
	o.add(c)
	zone.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON")
	return c
}
