package turn

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// Result is a turn that has decided. Record goes to the journal before any act begins; then
// Commit takes effect, or, where the journal failed, Fail.
type Result struct {
	Record engine.FiringRecord
	// Failed is the failure of the strategies because of which the trigger's event has to be
	// handled again, "" for none.
	Failed string

	*Evaluation
	notes []engine.Note
}

func (e *Evaluation) result(ad *admission, intents []engine.Intent) *Result {
	r := &Result{Evaluation: e, Failed: e.failed}
	rec := &e.rec
	rec.Intents = intents
	if len(intents)+len(ad.approvals) == 0 && e.failed != "" { // nothing was done: the event is handled again
		rec.Trigger.Event = nil
	} else {
		r.Failed = ""
	}
	r.notes = append(e.notes(), e.remembered()...)
	rec.Notes = r.notes
	if e.agent.Spec.Mode == engine.DryRun {
		rec.Notes = dryRunNotes(r.notes, e)
	}
	rec.Approvals = append(ad.approvals, e.rechecked()...)
	rec.Deferred = e.disposition(intents)
	rec.Standing = e.standing()
	rec.Decisions = append(e.decisions(), lapsedDecisions(rec.Approvals, e.candidates)...)
	if e.repeats(rec.Deferred, intents, rec.Approvals) {
		rec.Decisions = nil
	}
	r.Record = *rec
	return r
}

// notes returns the notes of the admitted proposals, and the baselines that they set.
func (e *Evaluation) notes() []engine.Note {
	var out []engine.Note
	for _, c := range live(e.candidates) {
		if c.Note != nil {
			out = append(out, engine.Note{Target: c.Target.ID(), Strategy: c.Strategy, Value: c.Note})
		}
		for _, name := range c.Marks {
			out = append(out, e.agent.baselineNote(c.on, name))
		}
	}
	return out
}

// remembered returns the values of the rules remember that are not in the memory yet: those of
// an earlier turn too, where the journal failed to record it.
func (e *Evaluation) remembered() []engine.Note {
	var out []engine.Note
	for _, s := range e.targets {
		for i := range s.results {
			if res := &s.results[i]; res.remembers && s.reads != nil && !reflect.DeepEqual(res.remembered, s.doc.Memory[s.reads.names[i]].Remembered) {
				out = append(out, engine.Note{Target: s.doc.Target.ID(), Strategy: s.reads.names[i], Remembered: true, At: e.in.Now, Value: res.remembered})
			}
		}
	}
	return out
}

func dryRunNotes(notes []engine.Note, e *Evaluation) []engine.Note {
	var out []engine.Note
	for _, n := range notes {
		n.DryRun, n.At = true, e.in.Now
		out = append(out, n)
	}
	return out
}

// Commit takes effect of a turn that is in the journal: its notes and approvals count.
func (r *Result) Commit() {
	a := r.agent
	a.Memory.Keep(r.notes)
	for i := range r.notes {
		a.restartCounting(&r.notes[i])
	}
	for _, c := range r.Record.Approvals {
		a.Approvals.Merge(c.Approval, r.in.Now)
	}
}

// Fail withdraws a turn that the journal did not record, and sets the error in Record.
func (r *Result) Fail(err error) {
	r.Withdraw()
	rec := &r.Record
	rec.Intents, rec.Approvals, rec.Envelopes, rec.Deferred = nil, nil, nil, nil
	rec.Blocked = fmt.Sprintf("the journal can't be written, so nothing is done: %v", err)
	rec.Problems = append(rec.Problems, rec.Blocked)
	for i := range rec.Decisions {
		if d := &rec.Decisions[i]; d.Verdict == engine.Admitted || d.Verdict == engine.Waiting {
			d.Verdict, d.By, d.Detail, d.Identity, d.Approval = engine.Refused, "journal", err.Error(), "", nil
		}
	}
	if errors.Is(err, engine.ErrTooLarge) { // final, as long as the policies decide the same
		r.Failed = err.Error()
	}
}

// Withdraw takes back every admission.
func (r *Result) Withdraw() {
	a := r.agent
	a.Memory.Lock()
	defer a.Memory.Unlock()
	for _, c := range live(r.candidates) {
		a.Memory.Of(c.Target.ID()).Remove(c.Identity)
		a.Claims.Restore(r.key(c), c.prior)
	}
	for _, s := range r.targets {
		s.reported, s.rechecked = "", ""
	}
}

// All returns the decision on every proposal.
func (r *Result) All() []engine.Decision {
	var out []engine.Decision
	for _, c := range r.candidates {
		out = append(out, c.decision)
	}
	return out
}

// DocumentsOfAll returns the document of every target, in the fleet's order.
func (r *Result) DocumentsOfAll() ([]json.RawMessage, error) {
	var out []json.RawMessage
	for _, s := range r.targets {
		raw, err := json.Marshal(&s.doc)
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}

// decisions returns the decisions that are worth a row: those of a target where an act
// begins, or whose decisions differ from those recorded last. Those on an event are
// recorded each time: it is another event.
func (e *Evaluation) decisions() []engine.Decision {
	byTarget := map[*target][]*candidate{}
	for _, c := range e.candidates {
		byTarget[c.on] = append(byTarget[c.on], c)
	}
	var out []engine.Decision
	for _, s := range e.targets {
		reported := &s.reported
		switch {
		case e.in.Recheck != nil:
			reported = &s.rechecked
		case e.in.Trigger.HandlesEvent():
			reported = new(string)
		}
		list := byTarget[s]
		if len(list) == 0 {
			*reported = ""
			continue
		}
		acts, summary := false, ""
		for _, c := range list {
			acts = acts || c.decision.Verdict == engine.Admitted
			summary += Gist(&c.decision) + "\n"
		}
		if !acts && summary == *reported {
			continue
		}
		*reported = summary
		raw, err := json.Marshal(&s.doc)
		if err != nil { // a sensor's value that is no JSON: the decision stands, and has the error
			raw, _ = json.Marshal(map[string]string{"error": err.Error()})
		}
		for _, c := range list {
			c.decision.Document = raw
			out = append(out, c.decision)
		}
	}
	return out
}

// Gist returns a text that is equal for decisions that say the same: a repeated one is
// recorded once. The detail of a guard in Rego is part of it, as a broken guard denies for
// another reason, and so is who holds a claim, and whether its act runs. So is why a plan was
// refused, without its numbers: a person may have mended one reason, and the next is another.
// The details of the guards in Go have counts and times, which change although the decision
// does not.
func Gist(d *engine.Decision) string {
	why := ""
	switch {
	case d.Guard != "":
		why = d.Detail
	case d.HeldBy != nil:
		why = d.HeldBy.Agent + " " + d.HeldBy.State
	case d.By == byPlan:
		why = strings.Map(func(c rune) rune {
			if unicode.IsDigit(c) {
				return -1
			}
			return c
		}, d.Detail)
	}
	return fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s", d.Strategy, d.Primitive, jsonvalue.Canonical(d.With), d.Reason, d.Verdict, d.By, why)
}
