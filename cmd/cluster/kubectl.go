package main

import (
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

func newKubectl() *cobra.Command {
	return &cobra.Command{
		Use: "kubectl ARGS...", Short: "Be kubectl, of the version of the cluster",
		Long: `Everything after the word kubectl is for kubectl itself, the upstream program, which
the control plane's binary has too. It reads $KUBECONFIG, as any kubectl does.`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := testcluster.Binary(cmd.Context())
			if err != nil {
				return err
			}
			// Replaces this process, so that signals, terminal and exit status are kubectl's.
			err = syscall.Exec(path, append([]string{path, "kubectl"}, args...), os.Environ())
			return fmt.Errorf("run %s: %w", path, err)
		},
	}
}
