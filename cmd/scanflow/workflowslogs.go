package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

// followInterval is the time between two requests for more of a log that is followed.
const followInterval = 500 * time.Millisecond

func newWorkflowsLogs() *cobra.Command {
	var o workflowSource
	var attempt int
	var follow bool
	c := &cobra.Command{
		Use:   "logs NAME [STEP]",
		Short: "Print what the steps of a run printed",
		Long: `Prints the log of a step's last attempt, as it is in the step's folder; without STEP,
that of every step that has begun, each under a line that says whose it is. On a terminal
control characters other than tabs are quoted. NAME is a run's, or NAMESPACE/NAME; STEP
is as "scanflow workflows show" has it. With --follow it goes on, over further attempts,
until the step has ended.`,
		Args: runArgs(2, "scanflow workflows logs NAME [STEP]"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			return o.completeRun(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case attempt < 0:
				return fmt.Errorf("--attempt: %d is below 1", attempt)
			case len(args) == 1 && (follow || attempt > 0):
				return errors.New("--follow and --attempt: say which step; `scanflow workflows show NAME` lists them")
			case follow && (cmd.Flags().Changed("data") || attempt > 0):
				return errors.New("--follow: goes without --data and --attempt")
			}
			run, err := o.find(cmd, args[0])
			if err != nil {
				return err
			}
			r := logPrinter{cmd: cmd, from: &o, run: &run}
			switch {
			case follow:
				return r.follow(args[1])
			case len(args) == 2:
				return r.printAttempt(args[1], attempt)
			}
			return r.printAll()
		},
	}
	o.add(c)
	f := c.Flags()
	f.IntVar(&attempt, "attempt", 0, "which attempt at the step, from 1; absent: the last")
	f.BoolVar(&follow, "follow", false, "go on until the step has ended")
	return c
}

// logPrinter prints the logs of a run.
type logPrinter struct {
	cmd  *cobra.Command
	from *workflowSource
	run  *workflow.Run
}

// printAll prints the logs of all steps that have begun.
func (l *logPrinter) printAll() error {
	none := true
	for i := range l.run.Steps {
		s := &l.run.Steps[i]
		if len(s.Attempts) == 0 {
			continue
		}
		none = false
		if _, err := fmt.Fprintln(l.cmd.OutOrStdout(), plot.Line(fmt.Sprintf("==> %s, attempt %d <==", s.DisplayName(), len(s.Attempts)))); err != nil {
			return err
		}
		if err := l.printAttempt(s.DisplayName(), len(s.Attempts)); err != nil {
			return err
		}
	}
	if none {
		return fmt.Errorf("no step of %s/%s has begun", l.run.Namespace, l.run.Name)
	}
	return nil
}

// printAttempt prints the current content of one log.
func (l *logPrinter) printAttempt(step string, attempt int) error {
	part, err := l.printFrom(step, attempt, 0)
	if err == nil && part.Attempts == 0 {
		return notStartedError(&part)
	}
	return err
}

func notStartedError(part *workflow.LogPart) error {
	if part.Message == "" {
		return fmt.Errorf("step %s has not begun", part.Step)
	}
	return fmt.Errorf("step %s has not begun: %s", part.Step, part.Message)
}

// printFrom prints a log from an offset to its current end.
func (l *logPrinter) printFrom(step string, attempt int, from int64) (part workflow.LogPart, err error) {
	for {
		if part, err = l.from.log(l.cmd, l.run, step, attempt, from); err != nil || part.Text == "" {
			return part, err
		}
		if _, err = io.WriteString(l.cmd.OutOrStdout(), escapeForTerminal(l.cmd.OutOrStdout(), part.Text)); err != nil {
			return part, err
		}
		attempt, from = part.Attempt, part.Next // pin the attempt: 0 selects the last one, which changes
	}
}

// escapeForTerminal quotes control characters if the output is a terminal. Files and pipes
// get the text unchanged.
func escapeForTerminal(w io.Writer, text string) string {
	if yes, _ := plot.Terminal(w); yes {
		return plot.Text(text)
	}
	return text
}

// follow prints a step's logs, from its last attempt on, until it has ended.
func (l *logPrinter) follow(step string) error {
	attempt, from := 0, int64(0)
	for {
		part, err := l.printFrom(step, attempt, from)
		switch {
		case l.cmd.Context().Err() != nil: // interrupted by Ctrl-C
			return errSilent
		case err != nil:
			return err
		case part.Ended && part.Attempts > part.Attempt:
			attempt, from = part.Attempt+1, 0
			continue
		case part.Over && part.Attempts == 0:
			return notStartedError(&part)
		case part.Over:
			return nil
		}
		attempt, from = part.Attempt, part.Next
		engine.Sleep(l.cmd.Context(), engine.WallClock{}, followInterval)
	}
}
