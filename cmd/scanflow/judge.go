package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// judgeCommand holds the arguments with which the daemon starts this program as the child
// process that judges policies.
var judgeCommand = []string{"judge"}

func newJudge() *cobra.Command {
	return &cobra.Command{
		Use:    "judge",
		Short:  "Judge policies for a running scanflow, which starts this itself",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !confine.Inside() {
				return errors.New("judge is what a running scanflow starts; to check policies, use `scanflow check`")
			}
			return policy.ServeJudge(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
