package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// followEvery is the time between two looks at the journal.
const followEvery = 500 * time.Millisecond

// mostRunning bounds the acts whose end is awaited.
const mostRunning = 1000

// printNew prints the newest decisions, and then new ones, until the context ends. A decision
// whose act was running is printed again when the act has ended. A scanflow that no longer
// answers is asked again until it does, and notices say so.
func (o *decisionFlags) printNew(ctx context.Context, w, notices io.Writer, source decisionSource) error {
	f := &decisionFollower{source: source, table: o.table(w)}
	if o.asJSON {
		f.print = func(row journal.Row) error { return writeLine(w, row) }
	} else {
		f.print = f.table.add
	}
	newest, err := collect(ctx, source, o.filter)
	if err != nil {
		return err
	}
	slices.Reverse(newest)
	next := o.filter
	next.Limit, next.OldestFirst = 0, true
	if next.After, err = lastSeq(ctx, source); err != nil {
		return err
	}
	newest = slices.DeleteFunc(newest, func(row journal.Row) bool { return row.Seq > next.After })
	if err := f.show(newest); err != nil {
		return err
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	away := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var err error
		if away {
			err = f.resume(ctx, &next)
		}
		if err == nil {
			err = f.look(ctx, &next)
		}
		if ctx.Err() != nil {
			return nil
		}
		unanswered := errors.Is(err, errNoAnswer)
		switch {
		case err != nil && !unanswered:
			return err
		case unanswered && !away:
			_, err = fmt.Fprintf(notices, "%v; asked again until it answers\n", err)
		case !unanswered && away:
			_, err = fmt.Fprintln(notices, "scanflow answers again")
		default:
			err = nil
		}
		if err != nil {
			return err
		}
		away = unanswered
	}
}

// decisionFollower prints decisions as they come.
type decisionFollower struct {
	source  decisionSource
	table   *decisionTable
	print   func(journal.Row) error
	running []string // identities of acts that were running when they were printed
}

// resume moves next.After back where the journal ends before it: another one was put in its place.
func (f *decisionFollower) resume(ctx context.Context, next *journal.Filter) error {
	last, err := lastSeq(ctx, f.source)
	if err == nil && last < next.After {
		next.After = last
	}
	return err
}

// look prints what is new. It moves next.After.
func (f *decisionFollower) look(ctx context.Context, next *journal.Filter) (err error) {
	var ended []journal.Row
	running := f.running
	f.running = nil
	defer func() {
		if err != nil { // the next look asks for all of them
			f.running = running
		}
	}()
	for _, identity := range running {
		rows, err := collect(ctx, f.source, journal.Filter{Identity: identity, Limit: 1})
		if err != nil {
			return err
		}
		switch {
		case len(rows) == 0:
		case isRunning(rows[0]):
			f.running = append(f.running, identity)
		default:
			ended = append(ended, rows[0])
		}
	}
	rows, err := collect(ctx, f.source, *next)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		next.After = rows[len(rows)-1].Seq
	}
	return f.show(append(ended, rows...))
}

func (f *decisionFollower) show(rows []journal.Row) error {
	for _, row := range rows {
		if isRunning(row) && len(f.running) < mostRunning {
			f.running = append(f.running, row.Identity)
		}
		if err := f.print(row); err != nil {
			return err
		}
	}
	return f.table.flush()
}

func isRunning(row journal.Row) bool {
	return row.Outcome != nil && row.Outcome.Status == engine.Running
}

func collect(ctx context.Context, source decisionSource, filter journal.Filter) ([]journal.Row, error) {
	var out []journal.Row
	for row, err := range source.EachDecision(ctx, filter) {
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

// lastSeq returns the Seq of the newest decision, 0 if there is none.
func lastSeq(ctx context.Context, source decisionSource) (int64, error) {
	rows, err := collect(ctx, source, journal.Filter{Limit: 1})
	if err != nil || len(rows) == 0 {
		return 0, errors.Join(err)
	}
	return rows[0].Seq, nil
}
