package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentcheck"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/credentials"
	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

func newCheck() *cobra.Command {
	var in inputFlags
	var workloads []string
	var cluster checkClusterFlags
	var format checkFormat
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
warning says which, unless --secret-hosts has it.

With --json or --sarif every mistake and warning goes to standard output, for a CI
that shows them beside the lines: each has severity, file, line, column, path, text and
fix. The exit status is the same: 1 if there is a mistake; a warning changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(cmd, &in, workloads, &cluster, format)
		},
	}
	in.add(c, agentFilesUse)
	listFlag(c.Flags(), &workloads, "workloads", "", "Deployments for the local orchestrator, to check as well")
	c.Flags().BoolVar(&cluster.kubernetes, "kubernetes", false, "judge the agents as objects of a cluster")
	cluster.hosts.add(c)
	format.add(c)
	return confined(confinedMemory, c)
}

// verifyTimeout bounds compiling the strategies against the agents' documents.
const verifyTimeout = time.Minute

// checkClusterFlags describe the cluster that the agents are checked for.
type checkClusterFlags struct {
	kubernetes bool
	hosts      secretHostsFlag
}

// judge reports what a cluster would refuse, and a warning for each Secret that would be
// sent to a host that the flag does not allow.
func (o *checkClusterFlags) judge(agents []*manifest.Agent, report *checkReport) {
	allowed, err := o.hosts.list()
	if err != nil {
		report.refuse(err)
		return
	}
	report.add(severityWarning, credentials.HostWarnings(agents, allowed)...)
	if !o.kubernetes {
		return
	}
	for _, a := range agents {
		report.add(severityError, a.MistakesInCluster()...)
	}
}

// addOverlaps reports a warning for two agents that may write one field, and a note where
// their priorities decide between them.
func addOverlaps(agents []*manifest.Agent, report *checkReport) {
	for _, o := range agentcheck.Overlaps(agents) {
		severity := severityWarning
		if o.Decided {
			severity = severityNote
		}
		report.add(severity, o.Mistake)
	}
}

func check(cmd *cobra.Command, in *inputFlags, workloads []string, cluster *checkClusterFlags, format checkFormat) error {
	ctx := cmd.Context()
	report := newCheckReport(format, cmd.ErrOrStderr())
	var agents []*manifest.Agent
	if len(in.manifests) > 0 {
		var err error
		agents, err = readAgents(cmd, in.manifests)
		report.refuse(err)
	}
	cluster.judge(agents, report)
	if len(workloads) > 0 {
		_, err := orchestrator.Read(workloads...)
		report.refuse(err)
	}
	from, err := in.source()
	if err != nil {
		return err
	}
	src, err := from.Read(ctx)
	if err != nil {
		report.refuse(err)
		return report.print(cmd.OutOrStdout())
	}
	report.policies = src
	// Check against the agents first, even if other checks failed: a misspelt signal also
	// makes tests fail, and their messages are less precise.
	if draft, err := policy.Draft(ctx, src); err == nil {
		confine.Doing("holding agents and policies against each other", verifyTimeout)
		found := agentcheck.Verify(agents, draft)
		report.refuse(found)
		report.add(severityWarning, draft.Warnings()...)
		report.add(severityWarning, agentcheck.WithoutFound(agentcheck.Warnings(agents, draft), found)...)
	}
	addOverlaps(agents, report)
	rev, err := policy.Candidate(ctx, src, policy.Options{})
	report.refuse(err)
	if rev != nil {
		report.add(severityError, agentcheck.ParamProblems(ctx, agents, rev)...)
	}
	report.agents, report.revision = len(agents), rev
	return report.print(cmd.OutOrStdout())
}
