package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// decisionFlags are the flags of `scanflow decisions`.
type decisionFlags struct {
	readFlags
	zone                            screenZone
	since, until, verdict, document string
	filter                          journal.Filter
	asJSON, problems, wide, follow  bool
}

func newDecisions() *cobra.Command {
	var o decisionFlags
	c := &cobra.Command{
		Use:   "decisions [ID]",
		Short: "Read the journal: what was decided, done, or refused, and why",
		Long: `Reads the journal of a stopped or running scanflow, newest first: of the data folder,
or with --server of a running one. Without either flag it reads .scanflow, and where that
has no journal it asks the scanflow of this machine.

Each row is one proposal of a strategy: when, on which target, what it asked for, what
became of it, and why. The table fits 80 columns, or the terminal where that is wider;
--wide shortens nothing and has all columns. With an ID, that decision is shown in full.
The result is the verdict (refused, unchanged, waiting) or the outcome of the act
(running, done, failed, abandoned; dry run). --follow prints new decisions as they come,
oldest first, and one whose act was running again when the act has ended. A scanflow
that ends meanwhile is asked again until it answers.

--document ID prints the document that a decision rested on, which "scanflow eval --input"
takes. The id in the table is enough: it names a decision within one journal. The identity
of an act, as the log has it, names its decision too.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	o.add(c, "folder of the journal")
	o.zone.add(c)
	f := c.Flags()
	f.StringVar(&o.filter.Agent, "agent", "", "only this agent, as name or namespace/name")
	f.StringVar(&o.filter.Target, "target", "", "only this target, as name or namespace/name")
	f.StringVar(&o.filter.Strategy, "strategy", "", "only this strategy")
	f.StringVar(&o.filter.Verb, "verb", "", "only this verb")
	f.StringVar(&o.verdict, "verdict", "", "only admitted, refused, unchanged or waiting (for a person); failed: only those whose act failed")
	f.StringVar(&o.filter.Identity, "identity", "", "only the act of this identity")
	f.StringVar(&o.since, "since", "", "only from here on: a time (2026-03-01T12:00:00Z, \"2026-03-01 12:00:00\" or 12:00) or an age (90s, 2h)")
	f.StringVar(&o.until, "until", "", "only before here: a time or an age")
	f.IntVar(&o.filter.Limit, "limit", 100, "at most so many, the newest; 0 for all; with --follow, how many to begin with")
	f.BoolVar(&o.wide, "wide", false, "all columns, in full")
	f.BoolVarP(&o.follow, "follow", "", false, "go on with those that are decided from now on, until interrupted")
	f.BoolVar(&o.asJSON, "json", false, "one JSON object a line")
	f.BoolVar(&o.problems, "problems", false, "what went wrong instead: sensors, signals by target, strategies, targets or the journal failing")
	f.StringVar(&o.document, "document", "", "print the document of the decision with this id")
	for flag, pick := range map[string]func(journal.Names) []string{
		"agent": agentsOf, "document": shortIDs,
		"target":   func(n journal.Names) []string { return n.Targets },
		"strategy": func(n journal.Names) []string { return n.Strategies },
		"verb":     func(n journal.Names) []string { return n.Verbs },
	} {
		completeFlag(c, flag, pickNames(o.names, pick))
	}
	completeFlag(c, "verdict", words(verdictNames...))
	c.ValidArgsFunction = completed(pickNames(o.names, shortIDs))
	return c
}

// verdictNames are the values of --verdict.
var verdictNames = []string{string(engine.Admitted), string(engine.Refused), string(engine.Unchanged), string(engine.Waiting), string(engine.Failed)}

// parse checks the flags, and completes the filter but for the agent.
func (o *decisionFlags) parse(args []string) (err error) {
	now := time.Now()
	if o.filter.Since, err = parseTime(o.since, now, o.zone.location()); err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	if o.filter.Until, err = parseTime(o.until, now, o.zone.location()); err != nil {
		return fmt.Errorf("--until: %w", err)
	}
	if o.since != "" && o.until != "" && !o.filter.Since.Before(o.filter.Until) {
		return fmt.Errorf("--until: %s is not after --since, %s", o.zone.full(o.filter.Until), o.zone.full(o.filter.Since))
	}
	switch v := engine.Verdict(o.verdict); v {
	case "", engine.Admitted, engine.Refused, engine.Unchanged, engine.Waiting:
		o.filter.Verdict = v
	case engine.Verdict(engine.Failed):
		o.filter.Outcome = engine.Failed
	default:
		return fmt.Errorf("--verdict: %q is none of admitted, refused, unchanged, waiting, failed", o.verdict)
	}
	if o.filter.Limit < 0 {
		return fmt.Errorf("--limit: %d is below 0", o.filter.Limit)
	}
	return o.conflicts(args)
}

// conflicts refuses flags that would have no effect together.
func (o *decisionFlags) conflicts(args []string) error {
	f := o.command.Flags()
	var errs []error
	without := func(on bool, what, why string, names ...string) {
		for _, name := range names {
			if on && f.Changed(name) {
				errs = append(errs, fmt.Errorf("--%s: has no effect with %s, %s", name, what, why))
			}
		}
	}
	choice := []string{"agent", "target", "strategy", "verb", "verdict", "identity", "since", "until", "limit"}
	without(len(args) > 0, "an ID", "which names one decision", append([]string{"wide", "follow", "problems", "document"}, choice...)...)
	without(o.document != "", "--document", "which prints one document", append([]string{"wide", "follow", "problems", "json", "utc"}, choice...)...)
	without(o.problems, "--problems", "which shows firings", "target", "strategy", "verb", "verdict", "identity", "follow")
	without(o.asJSON, "--json", "which has everything", "wide")
	without(o.asJSON && o.since == "" && o.until == "", "--json", "which has times as RFC 3339", "utc")
	without(o.follow, "--follow", "which has no end", "until")
	return errors.Join(errs...)
}

func (o *decisionFlags) run(cmd *cobra.Command, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	if err := checkAgent(o.filter.Agent); err != nil {
		return err
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	source, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	if o.filter.Agent, err = fullAgent(ctx, o.filter.Agent, func(ctx context.Context) ([]string, error) {
		names, err := source.Names(ctx)
		return names.Agents, err
	}); err != nil {
		return err
	}
	switch {
	case len(args) > 0:
		id, err := decisionID(ctx, source, args[0])
		if err != nil {
			return err
		}
		return o.printOne(ctx, out, source, id)
	case o.document != "":
		id, err := decisionID(ctx, source, o.document)
		if err != nil {
			return err
		}
		raw, err := source.Document(ctx, id)
		if err == nil {
			_, err = fmt.Fprintln(out, plot.JSON(string(raw)))
		}
		return err
	case o.problems:
		return o.printProblems(ctx, out, source)
	case o.follow:
		return o.printNew(ctx, out, cmd.ErrOrStderr(), source)
	}
	return o.printDecisions(ctx, out, source)
}

// identities are those of acts.
var identities = regexp.MustCompile(`^[0-9a-f]{32}$`)

// decisionID returns the id of a decision that is named by it, or by the identity of its act.
func decisionID(ctx context.Context, source decisionSource, name string) (string, error) {
	if !identities.MatchString(name) {
		return name, nil
	}
	rows, err := collect(ctx, source, journal.Filter{Identity: name, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return "", fmt.Errorf("no decision has the act %s", name)
	}
	return rows[0].ID, nil
}

func (o *decisionFlags) printOne(ctx context.Context, w io.Writer, source decisionSource, id string) error {
	row, err := source.Decision(ctx, id)
	if err != nil {
		return err
	}
	if o.asJSON {
		return writeLine(w, row)
	}
	_, err = io.WriteString(w, decisionText(row, o.zone))
	return err
}

// table is where decisions are printed to.
func (o *decisionFlags) table(w io.Writer) *decisionTable {
	return &decisionTable{w: w, zone: o.zone, wide: o.wide, width: widthOf(w), now: time.Now}
}

func (o *decisionFlags) printDecisions(ctx context.Context, w io.Writer, source decisionSource) error {
	none, table := true, o.table(w)
	for row, err := range source.EachDecision(ctx, o.filter) {
		if err == nil {
			none = false
			if o.asJSON {
				err = writeLine(w, row)
			} else {
				err = table.add(row)
			}
		}
		if err != nil {
			return errors.Join(table.flush(), err)
		}
	}
	if !none || o.asJSON {
		return table.flush()
	}
	text, n := "no decisions that match", 0
	for _, err := range problemFirings(ctx, source, o.filter) {
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
