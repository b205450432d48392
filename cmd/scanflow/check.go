package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentcheck"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/credentials"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

func newCheck() *cobra.Command {
	var in inputFlags
	var workloads []string
	var cluster checkClusterFlags
	c := &cobra.Command{
		Use:   "check [-f DIR|FILE...]",
		Short: "Hold manifests and policies against each other, and name every mistake",
		Long: `Checks manifests (strictly), policies (compiled, judged and tested), and the two
against each other: each strategy is compiled against the document of each agent
that uses it, so that a misspelt signal is found here. Nothing is sampled and
nothing is done. Without -f only the policies are checked.

Objects of other kinds beside the agents are skipped, and counted on standard error;
what looks like an Agent but is wrong is not. The items of a List are read, and the
fields that an API server writes are ignored:

  helm template RELEASE CHART | scanflow check -f -
  kubectl get agents -A -o yaml | scanflow check --kubernetes -f -

"scanflow run -f" reads files again when they change, and they hold agents alone.

With --kubernetes the agents are judged as objects of a cluster, which may not use the
process's own environment and files. A secretKeyRef goes to allowed hosts alone: a
warning says which, unless --secret-hosts has it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(cmd, &in, workloads, &cluster)
		},
	}
	in.add(c, agentFilesUse)
	listFlag(c.Flags(), &workloads, "workloads", "", "Deployments for the local orchestrator, to check as well")
	c.Flags().BoolVar(&cluster.kubernetes, "kubernetes", false, "judge the agents as objects of a cluster")
	cluster.hosts.add(c)
	return confined(confinedMemory, c)
}

// verifyTimeout bounds compiling the strategies against the agents' documents.
const verifyTimeout = time.Minute

// checkClusterFlags describe the cluster that the agents are checked for.
type checkClusterFlags struct {
	kubernetes bool
	hosts      secretHostsFlag
}

// judge returns the mistakes that a cluster would refuse, and prints a warning for each
// Secret that would be sent to a host that the flag does not allow.
func (o *checkClusterFlags) judge(agents []*manifest.Agent, errOut io.Writer) error {
	allowed, err := o.hosts.list()
	if err != nil {
		return err
	}
	for _, d := range credentials.HostWarnings(agents, allowed) {
		_, _ = fmt.Fprintf(errOut, "warning: %s\n", plot.Line(d))
	}
	if !o.kubernetes {
		return nil
	}
	var wrong mistake.Mistakes
	for _, a := range agents {
		wrong = append(wrong, a.MistakesInCluster()...)
	}
	return wrong.Err()
}

// printOverlaps prints a warning for two agents that may write one field, and a note where
// their priorities decide between them.
func printOverlaps(agents []*manifest.Agent, errOut io.Writer) {
	for _, o := range agentcheck.Overlaps(agents) {
		kind := "warning"
		if o.Decided {
			kind = "note"
		}
		_, _ = fmt.Fprintln(errOut, plot.Line(kind+": "+o.Text))
	}
}

func check(cmd *cobra.Command, in *inputFlags, workloads []string, cluster *checkClusterFlags) error {
	ctx, out, errOut := cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	var errs []error
	var agents []*manifest.Agent
	if len(in.manifests) > 0 {
		var err error
		agents, err = readAgents(cmd, in.manifests)
		errs = append(errs, err)
	}
	errs = append(errs, cluster.judge(agents, errOut))
	if len(workloads) > 0 {
		_, err := orchestrator.Read(workloads...)
		errs = append(errs, err)
	}
	from, err := in.source()
	if err != nil {
		return err
	}
	src, err := from.Read(ctx)
	if err != nil {
		return fmt.Errorf("not fit to run:\n%w", errors.Join(append(errs, err)...))
	}
	// Check against the agents first, even if other checks failed: a misspelt signal also
	// makes tests fail, and their messages are less precise.
	if draft, err := policy.Draft(ctx, src); err == nil {
		confine.Doing("holding agents and policies against each other", verifyTimeout)
		errs = append(errs, agentcheck.Verify(agents, draft))
		for _, w := range draft.Warnings() {
			_, _ = fmt.Fprintln(errOut, plot.Text(fmt.Sprintf("warning: %s", w)))
		}
		for _, d := range agentcheck.Warnings(agents, draft) {
			_, _ = fmt.Fprintln(errOut, plot.Text(fmt.Sprintf("warning: %s", d)))
		}
	}
	printOverlaps(agents, errOut)
	rev, err := policy.Candidate(ctx, src, policy.Options{})
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("not fit to run:\n%w", err)
	}
	_, err = fmt.Fprintf(out, "ok: %d agents, policies %s with %d strategies and %d guards\n%s\n", len(agents), rev.ID(), len(rev.Strategies()), len(rev.Guards()),
		plot.Line("guards that bind: "+policy.FormatGuards(rev.GuardInfos())))
	return err
}
