package demo

import (
	"context"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// Link is one decision on the way to a promoted model, and why it was made: an event,
// or what was sensed.
type Link struct {
	AtSeconds float64 `json:"at_s"`
	Agent     string  `json:"agent"`
	// Decision is its id in the journal, Identity that of the act.
	Decision  string `json:"decision"`
	Identity  string `json:"identity"`
	Primitive string `json:"primitive"`
	Did       string `json:"did"`
	Reason    string `json:"reason"`
	// Event is the one that it answers; null where a tick's signals were the reason.
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

// before is what each step follows on where no event says so: the step whose effect
// was sensed.
var before = map[string]func(step, earlier journal.Row) bool{
	"dev.scanflow.retrain.requested": runs("detect"),
	"dev.scanflow.promote.requested": runs("retrain"),
	"model.serve":                    promoted,
	"model.rollback":                 func(_, earlier journal.Row) bool { return earlier.Primitive == "model.serve" },
}

// promoted is the act that put a version into production: its promotion, or the
// rollback of another.
func promoted(step, earlier journal.Row) bool {
	return earlier.Primitive == "model.promote" && earlier.With["version"] == step.With["version"] || earlier.Primitive == "model.rollback"
}

func runs(template string) func(_, earlier journal.Row) bool {
	return func(_, earlier journal.Row) bool {
		return earlier.Primitive == "workflow.run" && earlier.With["template"] == template
	}
}

// kind is what a step is, as `before` knows it.
func kind(r journal.Row) string {
	if t, is := r.With["type"].(string); is && r.Primitive == "event.send" {
		return t
	}
	return r.Primitive
}

// acted are the decisions that were carried out, oldest first.
func acted(ctx context.Context, j *journal.Journal) ([]journal.Row, error) {
	reader, err := j.Reader()
	if err != nil {
		return nil, err
	}
	return reader.Decisions(ctx, journal.Filter{Verdict: engine.Admitted, OldestFirst: true})
}

// Chain follows a step back to where it began, the oldest first: from event to the act
// that sent it, and from what was sensed to the act that brought it about. The rows are
// those that were carried out, by whichever process, the oldest first.
func Chain(rows []journal.Row, last journal.Row) []journal.Row {
	var out []journal.Row
	for step, found := last, true; found && len(out) < 20; {
		out = append(out, step)
		step, found = cause(rows, step)
	}
	slices.Reverse(out)
	return out
}

// answers is the event that a step answers: not one that only made its agent look, where
// what it asks for rests on what was sensed.
func answers(step journal.Row) *engine.Event {
	if step.Primitive == "event.send" && before[kind(step)] != nil {
		return nil
	}
	return step.Trigger.Event
}

func cause(rows []journal.Row, step journal.Row) (journal.Row, bool) {
	if e := answers(step); e != nil {
		for _, r := range rows {
			if r.Identity != "" && strings.HasPrefix(e.ID, r.Identity) { // an act's end has more after it
				return r, true
			}
		}
		return journal.Row{}, false
	}
	follows := before[kind(step)]
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
		AtSeconds: seconds(r.At.Sub(s.began())), Agent: r.Agent, Decision: r.ID, Identity: r.Identity, Primitive: r.Primitive,
		Did: r.Detail, Reason: r.Reason, Because: r.Because,
	}
	if r.Outcome != nil {
		l.Outcome = string(r.Outcome.Status)
	}
	if e := answers(r); e != nil {
		l.Event = &CausedBy{ID: e.ID, Source: e.Source, Type: e.Type}
	}
	return l
}

// chainTo is the chain that ends with an act.
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
