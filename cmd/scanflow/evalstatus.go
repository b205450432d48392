package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// malformedStatus returns the exit status of eval, after it has printed what is malformed.
func malformedStatus(cmd *cobra.Command, p loop.Preview, only string) error {
	if printMalformed(cmd.ErrOrStderr(), p.Decisions, only) > 0 || slices.ContainsFunc(p.Problems, isStrategyProblem) {
		return exitCode(exitMalformed)
	}
	return nil
}

// isStrategyProblem reports whether a problem of a firing is one of a strategy: it failed, or
// a proposal of it is none. The others are those of sensors.
func isStrategyProblem(problem string) bool { return strings.HasPrefix(problem, "strategy ") }

// printMalformed prints a line for each decision that was refused because of what the
// proposal is, and returns how many there are.
func printMalformed(w io.Writer, decisions []engine.Decision, only string) int {
	found := 0
	for _, d := range decisions {
		if d.Verdict != engine.Refused || d.By != engine.ByPrimitives && d.By != engine.ByShape || only != "" && only != d.Target.String() {
			continue
		}
		found++
		_, _ = fmt.Fprintln(w, plot.Line(fmt.Sprintf("malformed: %s for %s: %s: refused by %s: %s", d.Strategy, d.Target, d.Primitive, d.By, malformedDetail(d))))
	}
	return found
}

// malformedDetail returns why a proposal is malformed: of one that reports mistakes in the
// params of its strategy, these mistakes.
func malformedDetail(d engine.Decision) string {
	texts, is := d.With["mistakes"].([]any)
	if !is || len(d.With) != 1 {
		return d.Detail
	}
	lines := make([]string, len(texts))
	for i, text := range texts {
		lines[i] = fmt.Sprint(text)
	}
	return strings.Join(lines, "; ")
}
