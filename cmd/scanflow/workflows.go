package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

func newWorkflows() *cobra.Command {
	var o workflowSource
	var zone screenZone
	var asJSON bool
	c := &cobra.Command{
		Use:   "workflows",
		Short: "List the workflows that run on this machine, show one, read its logs, or cancel it",
		Long: `Asks a running scanflow for the workflows that it runs by itself (scanflow run
--workloads), and those that ended not long ago, the newest first. "at" are the steps
where a run stands, or which failed. With --data it reads the folder instead, also
where no scanflow runs: what was last written down, so that a run whose scanflow is
gone says Running until the next one goes on with it. Without --data and --server, where
no scanflow answers, it reads .scanflow and says so.

On Kubernetes the runs are Argo's: "argo list" or "kubectl get workflows" shows them.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for %q; did you mean workflows show %s?", args[0], cmd.CommandPath(), args[0])
			}
			lines, err := o.list(cmd)
			if err != nil {
				return err
			}
			if asJSON {
				return writeLine(cmd.OutOrStdout(), lines)
			}
			return printWorkflows(cmd, lines, zone)
		},
	}
	o.add(c)
	zone.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON")
	c.AddCommand(newWorkflowsShow(), newWorkflowsLogs(), newWorkflowsCancel())
	return c
}

func printWorkflows(cmd *cobra.Command, lines []workflowLine, zone screenZone) error {
	if len(lines) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "no workflow runs, and none ended lately")
		return err
	}
	table := plot.Table{Header: []string{"run", "template", "phase", "done", zone.head("since") + ", for", "at", "message"}}
	for _, l := range lines {
		table.Rows = append(table.Rows, []string{
			l.Namespace + "/" + l.Name, l.Template, string(l.Phase), fmt.Sprintf("%d/%d", l.Done, l.All), sinceText(l.StartedAt, l.FinishedAt, zone.stamp),
			cmp.Or(strings.Join(l.At, " "), "-"), singleLine(l.Message),
		})
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), table.String())
	return err
}

// runArgs requires the name of a run, and accepts up to most arguments.
func runArgs(most int, usage string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < 1 || len(args) > most {
			return fmt.Errorf("say which: %s; `scanflow workflows` lists them", usage)
		}
		return nil
	}
}

func newWorkflowsShow() *cobra.Command {
	var o workflowSource
	var zone screenZone
	var asJSON bool
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show one run: its steps, with each attempt at them",
		Long: `Shows a run of a workflow, NAME or NAMESPACE/NAME: each step with its attempts, their
exit statuses, and the folders that hold the log and the files of each, below the run's.`,
		Args: runArgs(1, "scanflow workflows show NAME"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			return o.completeRun(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := o.find(cmd, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeLine(cmd.OutOrStdout(), run)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), workflowText(&run, zone))
			return err
		},
	}
	o.add(c)
	zone.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON")
	return c
}

func newWorkflowsCancel() *cobra.Command {
	var o userFlags
	var attr attribution
	var asJSON bool
	c := &cobra.Command{
		Use:   "cancel NAME",
		Short: "End a run before its time",
		Long: `Has a running scanflow end a run of a workflow, NAME or NAMESPACE/NAME. Its steps get
SIGTERM, and SIGKILL 30 s later; steps that have not begun never will. The run ends as
Failed, and its message says who cancelled it, and why. So does the journal, where the
agent's act has failed, and the event dev.scanflow.workflow.failed. A strategy that
still wants the run proposes it again, as after any failure.`,
		Args: runArgs(1, "scanflow workflows cancel NAME"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			return (&workflowSource{readFlags: readFlags{clientFlags: o.clientFlags}}).completeRun(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := attr.validate("--"); err != nil {
				return err
			}
			at, err := (&workflowSource{readFlags: readFlags{clientFlags: o.clientFlags}}).resolve(cmd, args[0])
			if err != nil {
				return err
			}
			var run workflow.Run
			if err := o.post(cmd.Context(), at+"/cancel", attr, &run); err != nil {
				return err
			}
			if asJSON {
				return writeLine(cmd.OutOrStdout(), run)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), plot.Line(fmt.Sprintf("%s/%s is being ended: %s", run.Namespace, run.Name, run.Stop)))
			return err
		},
	}
	o.add(c)
	attr.add(c, "who cancels it")
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON")
	return c
}

// runPath returns the API path of a run.
func runPath(namespace, name string) string {
	return "/v1/workflows/" + url.PathEscape(namespace) + "/" + url.PathEscape(name)
}
