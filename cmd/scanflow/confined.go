package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/confine"
)

const (
	// confinedMemory is what check and eval may use, in bytes: with the daemon's judge, what
	// passes here passes there. tracedMemory is for tests, whose every step is noted.
	confinedMemory = confine.DefaultMemory
	tracedMemory   = 1 << 30
	// confinedWhole bounds a confined command in all.
	confinedTimeout = 10 * time.Minute
)

// confined has a command that reads foreign policies do so in a child process of this
// program, under limits of memory and time, so that it always comes to an end, and ends
// at once when it is told to.
func confined(memory int64, c *cobra.Command) *cobra.Command {
	run := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if confine.Inside() {
			return run(cmd, args)
		}
		err := confine.Child{
			Args: os.Args[1:], Stdin: os.Stdin, Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr(), Memory: memory, Whole: confinedTimeout,
		}.Run(cmd.Context())
		var exit *exec.ExitError
		var ended *confine.Error
		switch {
		case errors.As(err, &exit):
			return exitCode(exit.ExitCode()) // it has said why
		case cmd.Context().Err() != nil:
			return exitCode(exitInterrupted)
		case errors.As(err, &ended) && ended.At != "":
			return fmt.Errorf("%w (%s)", ended, ended.At)
		}
		return err
	}
	return c
}

// interrupted is the status of a command that a signal ended, as shells have it of SIGINT.
const exitInterrupted = 130

// announced tells of each evaluation before it begins, so that one that hangs is known.
type reportingPolicies struct {
	engine.Policies
}

// Pin is part of engine.Policies.
func (a reportingPolicies) Pin() engine.Revision { return reportingRevision{a.Policies.Pin()} }

type reportingRevision struct{ engine.Revision }

// evaluationWithin is how long strategies or guards may take together; each has a
// deadline of its own, which one that hangs does not heed.
const evaluationTimeout = 30 * time.Second

// Evaluate is part of engine.Revision.
func (a reportingRevision) Evaluate(ctx context.Context, strategies []string, doc *engine.Document) engine.Evaluation {
	confine.Doing(fmt.Sprintf("asking %s about target %s", strings.Join(strategies, ", "), doc.Target.ID()), evaluationTimeout)
	return a.Revision.Evaluate(ctx, strategies, doc)
}

// Deny is part of engine.Revision.
func (a reportingRevision) Deny(ctx context.Context, doc *engine.Document, p engine.Proposal) []engine.Denial {
	confine.Doing(fmt.Sprintf("asking the guards about target %s", doc.Target.ID()), evaluationTimeout)
	return a.Revision.Deny(ctx, doc, p)
}
