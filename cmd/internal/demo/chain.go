package demo

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// Link is one decision in the causal chain of a promoted model, with its cause: an event, or
// signals.
type Link struct {
	AtSeconds float64 `json:"at_s"`
	Agent     string  `json:"agent"`
	// Decision is the id in the journal, Identity that of the act.
	Decision  string `json:"decision"`
	Identity  string `json:"identity"`
	Primitive string `json:"primitive"`
	Did       string `json:"did"`
	Reason    string `json:"reason"`
	// Event is the event that caused it; null if signals did.
	Event   *CausedBy `json:"event"`
	Because []string  `json:"because,omitempty"`
	Outcome string    `json:"outcome"`
}

// CausedBy is an event, by its CloudEvents attributes.
type CausedBy struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Type   string `json:"type"`
}

// precededBy finds the preceding step if no event leads to it: the step whose effect was
// sensed.
var precededBy = map[string]func(step, earlier journal.Row) bool{
	"dev.scanflow.retrain.requested": ranTemplate("detect"),
	"dev.scanflow.promote.requested": ranTemplate("retrain"),
	"model.serve":                    putIntoProduction,
	"model.rollback":                 func(_, earlier journal.Row) bool { return earlier.Primitive == "model.serve" },
}

// putIntoProduction reports whether an act put a version into production: its promotion, or
// the rollback of another.
func putIntoProduction(step, earlier journal.Row) bool {
	return earlier.Primitive == "model.promote" && earlier.With["version"] == step.With["version"] || earlier.Primitive == "model.rollback"
}

func ranTemplate(template string) func(_, earlier journal.Row) bool {
	return func(_, earlier journal.Row) bool {
		return earlier.Primitive == "workflow.run" && earlier.With["template"] == template
	}
}

// stepKind is the key of a step in precededBy.
func stepKind(r journal.Row) string {
	if t, is := r.With["type"].(string); is && r.Primitive == "event.send" {
		return t
	}
	return r.Primitive
}

// admittedDecisions returns the admitted decisions, oldest first.
func admittedDecisions(ctx context.Context, j *journal.Journal) ([]journal.Row, error) {
	reader, err := j.Reader()
	if err != nil {
		return nil, err
	}
	return reader.Decisions(ctx, journal.Filter{Verdict: engine.Admitted, OldestFirst: true})
}

// Chain returns the causal chain of a decision, oldest first: from an event to the act that
// sent it, and from signals to the act that caused them. The rows are the admitted decisions
// of all processes, oldest first.
func Chain(rows []journal.Row, last journal.Row) []journal.Row {
	var out []journal.Row
	for step, found := last, true; found && len(out) < 20; {
		out = append(out, step)
		step, found = cause(rows, step)
	}
	slices.Reverse(out)
	return out
}

// causingEvent returns the event that caused a step, except for one that merely triggered a
// firing in which signals led to the request.
func causingEvent(step journal.Row) *engine.Event {
	if step.Primitive == "event.send" && precededBy[stepKind(step)] != nil {
		return nil
	}
	return step.Trigger.Event
}

func cause(rows []journal.Row, step journal.Row) (journal.Row, bool) {
	if e := causingEvent(step); e != nil {
		for _, r := range rows {
			if r.Identity != "" && strings.HasPrefix(e.ID, r.Identity) { // the id of an event about an act's end has a suffix
				return r, true
			}
		}
		return journal.Row{}, false
	}
	follows := precededBy[stepKind(step)]
	if follows == nil {
		return journal.Row{}, false
	}
	for _, r := range slices.Backward(rows) {
		if r.At.Before(step.At) && follows(step, r) {
			return r, true
		}
	}
	return journal.Row{}, false
}

func (s *screen) link(r journal.Row) Link {
	l := Link{
		AtSeconds: seconds(r.At.Sub(s.startTime())), Agent: r.Agent, Decision: r.ID, Identity: r.Identity, Primitive: r.Primitive,
		Did: r.Detail, Reason: r.Reason, Because: r.Because,
	}
	if r.Outcome != nil {
		l.Outcome = string(r.Outcome.Status)
	}
	if e := causingEvent(r); e != nil {
		l.Event = &CausedBy{ID: e.ID, Source: e.Source, Type: e.Type}
	}
	return l
}

// chainTo returns the chain that ends with an act.
func (s *screen) chainTo(rows []journal.Row, identity string) (out []Link) {
	for _, r := range rows {
		if r.Identity != identity {
			continue
		}
		for _, step := range Chain(rows, r) {
			out = append(out, s.link(step))
		}
		break
	}
	return out
}

// chainText formats a chain: one line per decision, with its event or signals.
func chainText(s *screen, chain []Link) string {
	table := plot.Table{Header: []string{"at", "decision", "agent", "did", "because of"}}
	for _, l := range chain {
		because := l.Reason
		switch {
		case l.Event != nil:
			because = "event " + l.Event.Type + " " + shortID(l.Event.ID)
		case len(l.Because) > 0:
			because += " [" + strings.Join(l.Because, " ") + "]"
		}
		table.Rows = append(table.Rows, []string{s.clock(s.startTime().Add(time.Duration(l.AtSeconds * float64(time.Second)))), l.Decision, l.Agent, l.Primitive + " " + shortID(l.Identity) + ": " + shortText(l.Did), because})
	}
	return table.String()
}

// shortID returns the beginning of an id.
func shortID(id string) string { return id[:min(8, len(id))] }
