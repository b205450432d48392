package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// problemCounter counts the problems of the strategies that are evaluated: a proposal that
// is none, or a strategy that failed.
type problemCounter struct {
	engine.Policies
	found *atomic.Int64
}

// Pin is part of engine.Policies.
func (c problemCounter) Pin() engine.Revision { return countingRevision{c.Policies.Pin(), c.found} }

type countingRevision struct {
	engine.Revision
	found *atomic.Int64
}

// Evaluate is part of engine.Revision.
func (c countingRevision) Evaluate(ctx context.Context, strategies []string, doc *engine.Document) engine.Evaluation {
	out := c.Revision.Evaluate(ctx, strategies, doc)
	c.found.Add(int64(len(out.Problems)))
	return out
}

// printMalformed prints a line for each decision that was refused because of what the
// proposal is, and returns how many there are.
func printMalformed(w io.Writer, decisions []engine.Decision, only string) int {
	found := 0
	for _, d := range decisions {
		if d.Verdict != engine.Refused || d.By != engine.ByPrimitives && d.By != engine.ByShape || only != "" && only != d.Target.String() {
			continue
		}
		found++
		_, _ = fmt.Fprintln(w, plot.Line(fmt.Sprintf("malformed: %s for %s: %s: refused by %s: %s", d.Strategy, d.Target, d.Primitive, d.By, d.Detail)))
	}
	return found
}

// malformedStatus returns the exit status of eval, after it has printed what is malformed.
func malformedStatus(cmd *cobra.Command, p loop.Preview, only string, problems *atomic.Int64) error {
	if found := printMalformed(cmd.ErrOrStderr(), p.Decisions, only); found > 0 || problems.Load() > 0 {
		return exitCode(exitMalformed)
	}
	return nil
}
