package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/rbac"
)

func newRBAC() *cobra.Command {
	var manifests, resources []string
	var o rbac.Options
	var output string
	c := &cobra.Command{
		Use:   "rbac -f DIR|FILE...",
		Short: "Print the roles that exactly these agents need on a cluster",
		Long: `Prints a ServiceAccount, a Role for each namespace, and, only where an agent looks
beyond one namespace or at a custom resource, a ClusterRole: what the agents need for
their targets, sensors, triggers and primitives, and to read the Secrets that they
name, what the process that runs them needs itself, and nothing else. It asks no
cluster.

Objects of other kinds in the files are skipped, as by "scanflow check".

With -o values the same is printed as values of the Helm chart.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := (*rbac.Plan).YAML
			switch output {
			case "yaml":
			case "values":
				write = (*rbac.Plan).Values
			default:
				return fmt.Errorf("-o: %q is neither yaml nor values", output)
			}
			plan, err := planRBAC(cmd, manifests, resources, o)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(write(plan))
			return err
		},
	}
	f := c.Flags()
	listFlag(f, &manifests, "file", "f", agentFilesUse)
	f.StringVar(&o.Namespace, "namespace", "scanflow", "namespace that the process runs in")
	f.StringVar(&o.Name, "name", "scanflow", "name of the roles, and of the service account")
	f.StringVar(&o.Install, "install", "scanflow", "value for --install of the process, which its Leases are named by")
	f.IntVar(&o.Shards, "shards", 1, "number of parts that share the targets out (N of --shard I/N), each of which has a Lease")
	f.StringVar(&o.Account, "service-account", "", "service account that is there already, to be bound; absent: one is printed")
	listFlag(f, &resources, "resource", "", "what a kind's resources are called, as Kind.group=plural, where the usual plural is wrong")
	listFlag(f, &o.Apply, "apply", "", "kinds that the primitive apply may write, as Kind.group: manifests don't tell which ones policies name")
	f.StringVarP(&output, "output", "o", "yaml", "yaml, or values for the Helm chart")
	return c
}

func planRBAC(cmd *cobra.Command, manifests, resources []string, o rbac.Options) (*rbac.Plan, error) {
	if len(manifests) == 0 {
		return nil, errNoManifests
	}
	var errs []error
	o.Plurals = map[string]string{}
	for _, r := range resources {
		kind, plural, found := strings.Cut(r, "=")
		if !found || kind == "" || plural == "" {
			errs = append(errs, fmt.Errorf("--resource: %q is not Kind.group=plural, like InferenceService.serving.kserve.io=inferenceservices", r))
			continue
		}
		o.Plurals[kind] = plural
	}
	agents, err := readAgents(cmd, manifests)
	if err != nil {
		errs = append(errs, fmt.Errorf("not fit to run:\n%w", err))
	}
	plan, err := rbac.NewPlan(agents, o)
	return plan, errors.Join(append(errs, err)...)
}
