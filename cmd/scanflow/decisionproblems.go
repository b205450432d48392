package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// problemFirings iterates over the firings that had problems, filtered by agent and time.
func problemFirings(ctx context.Context, r decisionSource, filter journal.Filter) iter.Seq2[journal.Firing, error] {
	return func(yield func(journal.Firing, error) bool) {
		for f, err := range r.EachFiring(ctx, journal.Filter{Agent: filter.Agent, Since: filter.Since, Until: filter.Until}) {
			if (err != nil || len(f.Problems) > 0 || len(f.Faults) > 0) && !yield(f, err) {
				return
			}
		}
	}
}

// printProblems prints the problems of each firing, such as failed sensors, results of
// strategies that are not valid proposals, and signals of single targets that are not ok.
func (o *decisionFlags) printProblems(ctx context.Context, w io.Writer, r decisionSource) error {
	shown := 0
	var rows []problemRow
	for f, err := range problemFirings(ctx, r, o.filter) {
		if err != nil {
			return err
		}
		if shown++; o.filter.Limit > 0 && shown > o.filter.Limit {
			break
		}
		if o.asJSON {
			if err := writeLine(w, f); err != nil {
				return err
			}
			continue
		}
		problems := slices.Clone(f.Problems)
		for _, fault := range f.Faults {
			problems = append(problems, fault.String())
		}
		if f.MoreFaults > 0 {
			problems = append(problems, fmt.Sprintf("and %d more signals of single targets", f.MoreFaults))
		}
		for _, p := range problems {
			rows = append(rows, problemRow{f.At, f.Agent, p})
		}
	}
	if o.asJSON {
		return nil
	}
	_, err := io.WriteString(w, problemTable{zone: o.zone, wide: o.wide, width: widthOf(w), now: time.Now()}.text(rows))
	return err
}

// problemRow is one problem of a firing.
type problemRow struct {
	at      time.Time
	agent   string
	problem string
}

// problemTable formats problems as a table. A long problem goes on in its column on the next
// lines; where wide is set, it is on one line.
type problemTable struct {
	zone  screenZone
	wide  bool
	width int
	now   time.Time
}

// mostAgent is how many columns of a narrow table the agent has.
const mostAgent = 24

func (t problemTable) text(rows []problemRow) string {
	if len(rows) == 0 {
		return "no problems\n"
	}
	table := plot.Table{Header: []string{t.zone.head("time"), "agent", "problem"}}
	agents := plot.Columns(table.Header[1])
	for _, row := range rows {
		agents = max(agents, plot.Columns(plot.Line(row.agent)))
	}
	agents = min(agents, mostAgent)
	stamps := plot.Columns(table.Header[0])
	for _, row := range rows {
		stamps = max(stamps, len(t.zone.brief(row.at, t.now)))
	}
	for _, row := range rows {
		problem := plot.Line(t.zone.text(row.problem, row.at))
		if t.wide {
			table.Rows = append(table.Rows, []string{t.zone.format(row.at, milliLayout), row.agent, problem})
			continue
		}
		cells := []string{t.zone.brief(row.at, t.now), plot.ClipMiddle(plot.Line(row.agent), agents)}
		for _, line := range plot.WrapCell(problem, t.width-stamps-agents-2*gap) {
			table.Rows = append(table.Rows, append(cells, line))
			cells = []string{"", ""}
		}
	}
	return table.String()
}
