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
	// confinedMemory is the memory limit of check and eval, in bytes. The daemon's judge has
	// the same, so that policies which pass here pass there. tracedMemory is the limit of
	// tests, which record a trace.
	confinedMemory = confine.DefaultMemory
	tracedMemory   = 1 << 30
	// confinedTimeout bounds the whole run of a confined command.
	confinedTimeout = 10 * time.Minute
)

// confined runs a command that evaluates untrusted policies in a child process of this
// program, under limits of memory and time, so that it always ends, and can be interrupted
// at any moment.
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
			return exitCode(exit.ExitCode()) // the child has printed the error
		case cmd.Context().Err() != nil:
			return exitCode(exitInterrupted)
		case errors.As(err, &ended) && ended.At != "":
			return fmt.Errorf("%w (%s)", ended, ended.At)
		}
		return err
	}
	return c
}

// reportingPolicies reports each evaluation before it begins, so that the parent process
// can name one that hangs.
type reportingPolicies struct {
	engine.Policies
}

// Pin is part of engine.Policies.
func (a reportingPolicies) Pin() engine.Revision { return reportingRevision{a.Policies.Pin()} }

type reportingRevision struct{ engine.Revision }

// evaluationTimeout bounds the evaluation of all strategies or guards of a target. Each also
// has its own deadline, which code that hangs may ignore.
const evaluationTimeout = 30 * time.Second

// Evaluate is part of engine.Revision.
func (a reportingRevision) Evaluate(ctx context.Context, strategies []string, doc *engine.Document) engine.Evaluation {
	confine.Doing(fmt.Sprintf("asking %s about target %s", strings.Join(strategies, ", "), doc.Target.ID()), evaluationTimeout)
	return a.Revision.Evaluate(ctx, strategies, doc)
}

// EvaluateSome is part of engine.Revision.
func (a reportingRevision) EvaluateSome(ctx context.Context, strategies, some []string, doc *engine.Document) (engine.Evaluation, []string) {
	confine.Doing(fmt.Sprintf("asking %s about target %s", strings.Join(strategies, ", "), doc.Target.ID()), evaluationTimeout)
	return a.Revision.EvaluateSome(ctx, strategies, some, doc)
}

// Review is part of engine.Revision.
func (a reportingRevision) Review(ctx context.Context, doc *engine.Document, p engine.Proposal) engine.Review {
	confine.Doing(fmt.Sprintf("asking the guards about target %s", doc.Target.ID()), evaluationTimeout)
	return a.Revision.Review(ctx, doc, p)
}
