// Command scanflow is the whole of Scanflow in one binary: the agent daemon, the
// checks and tests of policies, the journal's reader, the demos, and OPA's own
// command line. Each subcommand is a file that parses flags, calls packages and prints
// the result. Start reading at run.go; cmd/internal/app assembles the daemon.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	opa "github.com/open-policy-agent/opa/cmd"
	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/confine"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if err := confine.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "scanflow:", err)
		return 1
	}
	status := execute(args)
	confine.Finish() // not reached by a panic: the parent then reports what was being done
	return status
}

func execute(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		var exit *opa.ExitError
		if errors.As(err, &exit) {
			return exit.Exit // OPA has printed the error
		}
		var code exitCode
		if errors.As(err, &code) {
			return int(code)
		}
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(os.Stderr, "scanflow:", plot.Text(err.Error()))
		}
		return 1
	}
	return 0
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "scanflow",
		Short:         "The policy agent that keeps machine-learning workflows healthy",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.AddCommand(
		newInit(), newRun(), newCheck(), newTest(), newEval(), newDecisions(), newSchema(),
		newVersion(), newStatus(), newEvents(), newClaims(), newApprovals(), newApprove(), newDeny(), newWorkflows(), newPods(), newReady(),
		newJudge(), newDemo(), newLoad(), newPolicies(), newFmt(), newDigits(), newClassifier(), newOPA(), newReference(), newCRD(), newRBAC(), newTracker(),
	)
	for _, c := range root.Commands() {
		noFilesForNothing(c)
	}
	return root
}
