package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

type statusFlags struct {
	kubernetes         bool
	kubeconfig         string
	namespace, install string
	asJSON             bool
}

func newStatus() *cobra.Command {
	var o statusFlags
	c := &cobra.Command{
		Use:   "status --kubernetes",
		Short: "Show who leads the installations on a cluster, and how their agents are",
		Long: `Reads the Leases of the installations in a namespace, their pods and their agents, with
the rights of a kubeconfig and nothing else: it works while no Scanflow does. The Lease
is the truth about who leads, since nobody can write an agent's status while nobody
leads. A leader counts if a renewal of its Lease is seen, which takes some seconds, and
up to the duration of the Lease where clocks differ: the times in a Lease are those of
its holder's clock.

The exit status is 1 where nobody leads a shard of an installation.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !o.kubernetes {
				return errors.New("pass --kubernetes: status reads an installation on a cluster; for a process on this machine, see `curl http://127.0.0.1:8282/readyz` and `scanflow decisions`")
			}
			client, err := apiclient.New(apiclient.Options{Kubeconfig: o.kubeconfig, UserAgent: "scanflow-status/" + version()})
			if err != nil {
				return err
			}
			if o.namespace != "" {
				client.Namespace = o.namespace
			}
			found, err := readInstallations(cmd.Context(), client, o.install)
			if err != nil {
				return err
			}
			if o.asJSON {
				err = writeLine(cmd.OutOrStdout(), found)
			} else {
				_, err = fmt.Fprint(cmd.OutOrStdout(), found.text())
			}
			if err == nil && len(found.Problems) > 0 {
				return errSilent
			}
			return err
		},
	}
	f := c.Flags()
	f.BoolVar(&o.kubernetes, "kubernetes", false, "read from a Kubernetes cluster")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "how to reach the cluster; if absent, $KUBECONFIG, the pod's service account, or ~/.kube/config")
	f.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the Leases, where the processes run; if absent, that of the kubeconfig's context")
	f.StringVar(&o.install, "install", "", "name of one installation, as given to `scanflow run`; if absent, all in the namespace")
	f.BoolVar(&o.asJSON, "json", false, "one line of JSON")
	return c
}
