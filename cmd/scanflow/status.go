package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

type statusFlags struct {
	clientFlags
	zone               screenZone
	kubernetes         bool
	kubeconfig         string
	namespace, install string
	asJSON             bool
}

func newStatus() *cobra.Command {
	var o statusFlags
	c := &cobra.Command{
		Use:   "status",
		Short: "Show on one screen how a running scanflow is; the exit status is its health",
		Long: `Asks a running scanflow how it is: its agents and their targets, what is wrong, and what
waits for a person, an agent or an address. The exit status is for scripts:

  0  healthy, or a replica that stands by
  1  it could not be told: flags, a credential, an answer that is none
  2  unhealthy: it decides and acts, and something is wrong (a sensor, policies or
     manifests that were refused, an agent that is late, dead letters, acts that
     failed in the last 15 minutes)
  3  not ready: nothing is decided or done, and the reasons are those of /readyz
  4  no scanflow answers

With --kubernetes it asks no scanflow. It reads the Leases of the installations in a namespace, their pods and their agents, with
the rights of a kubeconfig and nothing else: it works while no Scanflow does. The Lease
is the truth about who leads, since nobody can write an agent's status while nobody
leads. A leader counts if a renewal of its Lease is seen, which takes some seconds, and
up to the duration of the Lease where clocks differ: the times in a Lease are those of
its holder's clock.

The exit status is then 3 where nobody leads a shard of an installation.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.conflicts(cmd); err != nil {
				return err
			}
			if !o.kubernetes {
				return o.ask(cmd)
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
				return exitNotReady
			}
			return err
		},
	}
	o.add(c)
	o.zone.add(c)
	f := c.Flags()
	f.BoolVar(&o.kubernetes, "kubernetes", false, "read from a Kubernetes cluster who leads, and ask no scanflow")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "how to reach the cluster; if absent, $KUBECONFIG, the pod's service account, or ~/.kube/config")
	f.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the Leases, where the processes run; if absent, that of the kubeconfig's context")
	f.StringVar(&o.install, "install", "", "name of one installation, as given to `scanflow run`; if absent, all in the namespace")
	f.BoolVar(&o.asJSON, "json", false, "one line of JSON")
	return c
}

// conflicts refuses flags of the other kind of status.
func (o *statusFlags) conflicts(cmd *cobra.Command) error {
	names, why := []string{"kubeconfig", "namespace", "install"}, "goes with --kubernetes"
	if o.kubernetes {
		names, why = []string{"server", "token-file", "ca-file", "utc"}, "is for asking a running scanflow, and --kubernetes asks none"
	}
	var errs []error
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			errs = append(errs, fmt.Errorf("--%s: %s", name, why))
		}
	}
	return errors.Join(errs...)
}

// ask prints the status of a running scanflow. The error has its health.
func (o *statusFlags) ask(cmd *cobra.Command) error {
	var s daemonStatus
	err := o.get(cmd.Context(), "/v1/status", nil, &s)
	if errors.Is(err, errNoAnswer) {
		if _, printErr := fmt.Fprintln(cmd.ErrOrStderr(), "scanflow:", plot.Text(err.Error())); printErr != nil {
			return printErr
		}
		return exitNoAnswer
	}
	if err != nil {
		return err
	}
	if o.asJSON {
		err = writeLine(cmd.OutOrStdout(), s)
	} else {
		_, err = fmt.Fprint(cmd.OutOrStdout(), s.screen(o.server, o.zone, min(widthOf(cmd.OutOrStdout()), 2*screenWidth)))
	}
	switch {
	case err != nil:
		return err
	case s.Health == unhealthy:
		return exitUnhealthy
	case s.Health == notWell:
		return exitNotReady
	case s.Health != healthy && s.Health != standby:
		return fmt.Errorf("the answer has no health that is known: %q", s.Health)
	}
	return nil
}
