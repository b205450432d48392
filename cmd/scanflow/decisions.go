package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

func newDecisions() *cobra.Command {
	var (
		data, since, until, verdict, document string
		filter                                journal.Filter
		asJSON, problems                      bool
	)
	c := &cobra.Command{
		Use:   "decisions",
		Short: "Read the journal: what was decided, done, or refused, and why",
		Long: `Reads the journal of a running or stopped scanflow, newest first.

Each line is one proposal of a strategy: when, on which target, what it asked for,
what became of it, and why. --document ID prints the document that it rested on,
which "scanflow eval --input" takes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := checkAgent(filter.Agent)
			if err != nil {
				return err
			}
			if filter.Since, err = parseTime(since, time.Now()); err != nil {
				return fmt.Errorf("--since: %w", err)
			}
			if filter.Until, err = parseTime(until, time.Now()); err != nil {
				return fmt.Errorf("--until: %w", err)
			}
			switch filter.Verdict = engine.Verdict(verdict); filter.Verdict {
			case "", engine.Admitted, engine.Refused, engine.Unchanged, engine.Waiting:
			default:
				return fmt.Errorf("--verdict: %q is none of admitted, refused, unchanged, waiting", verdict)
			}
			if filter.Limit < 0 {
				return fmt.Errorf("--limit: %d is below 0", filter.Limit)
			}
			r, err := journal.OpenReader(cmd.Context(), app.JournalDir(data))
			if err != nil {
				return err
			}
			defer func() { _ = r.Close() }()
			if document != "" {
				raw, err := r.Document(cmd.Context(), document)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), plot.JSON(string(raw)))
				return err
			}
			if problems {
				return printProblems(cmd.Context(), cmd.OutOrStdout(), r, filter, asJSON)
			}
			return printDecisions(cmd.Context(), cmd.OutOrStdout(), r, filter, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", defaultData, "folder of the journal")
	f.StringVar(&filter.Agent, "agent", "", "only this agent, as namespace/name")
	f.StringVar(&filter.Target, "target", "", "only this target, as name or namespace/name")
	f.StringVar(&filter.Strategy, "strategy", "", "only this strategy")
	f.StringVar(&filter.Verb, "verb", "", "only this verb")
	f.StringVar(&verdict, "verdict", "", "only admitted, refused, unchanged or waiting (for a person)")
	f.StringVar(&filter.Identity, "identity", "", "only the act of this identity")
	f.StringVar(&since, "since", "", "only from here on: a time (RFC 3339) or an age (90s, 2h)")
	f.StringVar(&until, "until", "", "only before here: a time (RFC 3339) or an age")
	f.IntVar(&filter.Limit, "limit", 100, "at most so many, the newest; 0 for all")
	f.BoolVar(&asJSON, "json", false, "one JSON object a line")
	f.BoolVar(&problems, "problems", false, "the firings that had problems instead: sensors, strategies, targets or the journal failing")
	f.StringVar(&document, "document", "", "print the document of the decision with this id")
	return c
}

// parseTime parses a time (RFC 3339) or an age before now; "" is the zero time.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if age, err := time.ParseDuration(text); err == nil {
		return now.Add(-age), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time like 2026-03-01T12:00:00Z nor an age like 2h", text)
	}
	return at, nil
}

func printDecisions(ctx context.Context, w io.Writer, r *journal.Reader, filter journal.Filter, asJSON bool) error {
	none := true
	for row, err := range r.EachDecision(ctx, filter) {
		if err != nil {
			return err
		}
		none = false
		if asJSON {
			err = writeLine(w, row)
		} else {
			_, err = fmt.Fprintln(w, plot.Line(decisionLine(row)))
		}
		if err != nil {
			return err
		}
	}
	if !none || asJSON {
		return nil
	}
	text, n := "no decisions that match", 0
	for _, err := range problemFirings(ctx, r, filter) {
		if err != nil {
			return err
		}
		n++
	}
	switch {
	case n == 1:
		text += "; 1 firing had problems: --problems shows it"
	case n > 1:
		text += fmt.Sprintf("; %d firings had problems: --problems shows them", n)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// problemFirings iterates over the firings that had problems, filtered by agent and time.
func problemFirings(ctx context.Context, r *journal.Reader, filter journal.Filter) iter.Seq2[journal.Firing, error] {
	return func(yield func(journal.Firing, error) bool) {
		for f, err := range r.EachFiring(ctx, journal.Filter{Agent: filter.Agent, Since: filter.Since, Until: filter.Until}) {
			if (err != nil || len(f.Problems) > 0) && !yield(f, err) {
				return
			}
		}
	}
}

// printProblems prints the problems of each firing, such as failed sensors and results of
// strategies that are not valid proposals.
func printProblems(ctx context.Context, w io.Writer, r *journal.Reader, filter journal.Filter, asJSON bool) error {
	shown := 0
	for f, err := range problemFirings(ctx, r, filter) {
		if err != nil {
			return err
		}
		if shown++; filter.Limit > 0 && shown > filter.Limit {
			break
		}
		if asJSON {
			err = writeLine(w, f)
		} else {
			for _, p := range f.Problems {
				_, err = fmt.Fprintln(w, plot.Line(fmt.Sprintf("%s  %-20s %s", f.At.Local().Format("2006-01-02 15:04:05.000"), f.Agent, p)))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decisionLine formats one decision as a line of text.
func decisionLine(row journal.Row) string {
	result := string(row.Verdict)
	if row.Outcome != nil {
		result = string(row.Outcome.Status)
		if row.Outcome.Detail != "" && row.Outcome.Status == engine.Failed {
			result += " (" + row.Outcome.Detail + ")"
		}
	}
	if row.DryRun {
		result += ", dry run"
	}
	why := row.Reason
	if len(row.Because) > 0 {
		why += " [" + strings.Join(row.Because, " ") + "]"
	}
	if row.By != "" {
		result += " by " + row.By
	}
	line := fmt.Sprintf("%s  %-8s %-20s %-20s %s: %s", row.At.Local().Format("2006-01-02 15:04:05.000"), row.ID, row.Target, row.Strategy, callText(row.Primitive, row.With), result)
	if row.Detail != "" {
		line += ": " + row.Detail
	}
	return line + "  <- " + why
}
