package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

func newBuild() *cobra.Command {
	return &cobra.Command{
		Use: "build", Short: "Build the control plane, where it isn't built yet", Args: cobra.NoArgs,
		Long: `Builds etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok and kubectl
into one binary in the user's cache folder (or $SCANFLOW_CACHE). It takes some 6 minutes and
3 GB of memory on 2 cores, once; then it is found there. The tests would do it too.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := testcluster.Binary(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
}
