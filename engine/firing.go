package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// fleetDeadline bounds the listing of an agent's targets.
const fleetDeadline = 10 * time.Second

// fire is one turn of the loop, from the trigger to the acts set going:
//
//	fleet -> snapshot -> for each target: document -> evaluate -> validate -> arbitrate -> deny
//	      -> in the fleet's order: bound -> plan -> admit -> record -> acts
//
// Whatever is decided is in the journal before anything is done: decisions and
// intents in one piece with the event that was handled. Where the journal can't be
// written, the firing still senses and decides, and does nothing. The result says
// whether the trigger's event is handled.
func (a *agent) fire(ctx context.Context, trigger TriggerInfo, lag time.Duration) (handled bool) {
	now := a.host.Clock.Now()
	lag = max(lag, 0) // who stamped an event may have a clock that is ahead
	rev := a.host.Policies.Pin()
	rec := FiringRecord{Agent: a.name, Mode: a.spec.Mode, At: now, Trigger: trigger, Revision: rev.ID(), Policy: a.host.Policies.Info(now), Lag: lag, Signals: map[State]int{}}
	journalErr := a.remember(ctx)
	if journalErr == nil {
		rec.ID, journalErr = a.host.Journal.NextFiring(ctx)
	}
	slots, err := a.sense(ctx, now, &trigger, &rec)
	if err == nil {
		if err = a.rehearse(ctx, rev, &trigger, slots); err != nil {
			slots, rec.Problems = nil, append(rec.Problems, err.Error())
		}
	}
	if err != nil { // nobody was asked, so the event is still to be handled
		rec.Trigger.Event = nil
	}
	candidates := a.decide(ctx, rev, slots, &rec)
	a.bound(candidates)
	candidates = a.only(candidates)
	a.plan(ctx, candidates, trigger.base(rec.ID))
	rec.Intents = a.admit(candidates, rec.ID, now)
	if a.failed != "" && len(rec.Intents)+len(a.asked.staged) == 0 { // to be asked about again: nothing was done, nobody asked
		rec.Trigger.Event = nil
	} else {
		a.failed = ""
	}
	notes := a.notes(candidates)
	if rec.Notes = notes; a.spec.Mode == DryRun {
		rec.Notes = dryNotes(notes, now)
	}
	rec.Approvals = a.approvals(candidates, slots, rec.ID, now)
	rec.Postings = a.notices(rec.Approvals)
	rec.Held = a.holding(&trigger, candidates, &rec, now)
	rec.Decisions = append(a.report(slots, candidates, &trigger), lapsed(rec.Approvals, candidates)...)
	if rec.Held.repeats(&trigger, &rec) {
		rec.Decisions = nil
	}
	rec.Took = a.host.Clock.Now().Sub(now)
	if journalErr == nil {
		journalErr = a.host.Journal.RecordFiring(ctx, rec)
	}
	switch {
	case journalErr == nil:
		a.said = nil
		a.keepNotes(notes)
		a.settledApprovals(rec.Approvals)
		a.host.posted(rec.Postings)
		a.heldBack(rec.Trigger.Event, rec.Held)
		a.saveReadings(ctx, now)
		a.dispatch(rec.Intents)
	case ctx.Err() != nil: // cut off by a stop, which is no fault
		a.withdraw(candidates, slots)
		return false
	default:
		a.withdraw(candidates, slots)
		a.refusedApprovals(ctx, rec.Approvals, journalErr)
		if errors.Is(journalErr, ErrTooLarge) { // for good, as long as the policies say the same of it
			a.failed = journalErr.Error()
		}
		rec.fail(journalErr)
		rec.Decisions = a.unsaid(rec.Decisions)
	}
	a.host.Observer.Fired(rec)
	a.setStatus(rec, journalErr)
	return err == nil && journalErr == nil && a.failed == ""
}

// notes are what the admitted proposals leave: their strategies' notes, and the marks
// that they set.
func (a *agent) notes(candidates []*candidate) []Note {
	var out []Note
	for _, c := range alive(candidates) {
		if c.Note != nil {
			out = append(out, Note{c.Target.ID(), c.Strategy, c.Note})
		}
		for _, name := range c.Marks {
			out = append(out, a.marking(c.slot, name))
		}
	}
	return out
}

// fail turns a record into one of a firing that could not be recorded.
func (f *FiringRecord) fail(err error) {
	f.Intents, f.Approvals, f.Postings, f.Held = nil, nil, nil, nil
	f.Problems = append(f.Problems, fmt.Sprintf("the journal can't be written, so nothing is done: %v", err))
	for i := range f.Decisions {
		if d := &f.Decisions[i]; d.Verdict == Admitted || d.Verdict == Waiting {
			d.Verdict, d.By, d.Detail, d.Identity, d.Approval = Refused, "journal", err.Error(), "", nil
		}
	}
}

// unsaid leaves out what the observers were told already since the journal failed:
// nothing else keeps count while there is none.
func (a *agent) unsaid(decisions []Decision) []Decision {
	if a.said == nil {
		a.said = map[string]bool{}
	}
	return slices.DeleteFunc(decisions, func(d Decision) bool {
		key := d.Target.String() + "|" + d.gist()
		told := a.said[key]
		a.said[key] = true
		return told
	})
}

// sense lists the fleet, samples it, and brings each target's document up to date.
func (a *agent) sense(ctx context.Context, now time.Time, trigger *TriggerInfo, rec *FiringRecord) ([]*slot, error) {
	fleetCtx, cancel := context.WithTimeout(ctx, fleetDeadline)
	fleet, err := callFleet(fleetCtx, a.spec.Fleet)
	cancel()
	if err != nil {
		rec.Problems = append(rec.Problems, Clip(fmt.Sprintf("list targets: %v", err)))
		return nil, err
	}
	fleet = slices.Clone(fleet)
	byID := func(x, y Target) int {
		switch {
		case x.ID() == y.ID():
			return 0
		case x.ID().Less(y.ID()):
			return -1
		}
		return 1
	}
	if !slices.IsSortedFunc(fleet, byID) {
		slices.SortFunc(fleet, byID)
	}
	fleet = slices.CompactFunc(fleet, func(x, y Target) bool { return x.ID() == y.ID() })
	rec.Targets, a.fleetSize = len(fleet), len(fleet)

	readings, errs := a.sampler.sample(ctx, now, fleet)
	for i, err := range errs {
		if err != nil {
			rec.Problems = append(rec.Problems, Clip(fmt.Sprintf("sensor %s: %v", a.names[i], err)))
		}
	}
	a.sampler.doubts(ctx, now, errs)
	rec.Problems = a.doubted(rec.Problems)
	slots := make([]*slot, len(fleet))
	counts := map[State]int{}
	for i := range fleet {
		s := a.slotOf(&fleet[i])
		slots[i] = s
		s.doc.Now, s.doc.Trigger, s.doc.Target = now, trigger, fleet[i]
		for j := range a.spec.Sensors {
			var seen Signal
			if errs[j] == nil {
				seen = readings[j][i]
			}
			if mark := a.spec.Sensors[j].Since; mark != "" {
				seen = s.totals[j].count(seen, a.markOf(fleet[i].ID(), mark), a.names[j], !a.spec.Sensors[j].Sum)
			}
			s.doc.Signals[j] = judge(seen, errs[j], now, a.spec.Sensors[j].StaleAfter, &s.last[j])
			counts[s.doc.Signals[j].State]++
		}
		s.doc.Claims = a.host.claimsOn(fleet[i].ID(), now)
		if a.spec.Mode == DryRun { // it sees what it would hold
			s.doc.Claims = append(s.doc.Claims, a.dry.of(fleet[i].ID(), now)...)
		}
	}
	rec.Signals, rec.Unfit = counts, a.unfit(slots, errs)
	a.retire(slots)
	return slots, nil
}

// anyStrategy stands in a Problem for all of them.
const anyStrategy = "(any)"

// decide evaluates the targets on all cores. Each target's way from document to
// arbitrated candidates is its own, so that one that fails leaves the others be.
func (a *agent) decide(ctx context.Context, rev Revision, slots []*slot, rec *FiringRecord) []*candidate {
	r := a.readsOf(rev)
	out := make([][]*candidate, len(slots))
	a.mu.Lock()
	versions := make([]int, len(slots))
	for i, s := range slots {
		m := a.memoryOf(s.doc.Target.ID())
		s.doc.Memory, versions[i] = m.doc, m.version
	}
	a.mu.Unlock()

	ofEvent := a.ofEvent(rev, &rec.Trigger)
	var evaluated atomic.Int64
	each(len(slots), func(i int) {
		s := slots[i]
		defer func() {
			if p := recover(); p != nil { // an adapter's check or claim: this target sits out
				out[i], s.evaluated = nil, false
				s.problems = []Problem{{anyStrategy, fmt.Sprintf("panic: %v", p)}}
			}
		}()
		if !s.unchanged(rev.ID(), r, versions[i]) {
			evaluated.Add(1)
			s.remember(rev.ID(), versions[i], rev.Evaluate(ctx, a.spec.Strategies, &s.doc))
		}
		if len(s.proposals) == 0 {
			return
		}
		kept, over := withinTarget(s.proposals)
		list := make([]*candidate, len(kept))
		for j, p := range kept {
			p.Reason, p.Primitive = Clip(p.Reason), Clip(p.Primitive)
			p.Agent, p.Target = a.name, s.doc.Target
			if e := s.doc.Trigger.Event; e != nil {
				p.Hops = e.Hops + 1
			}
			list[j] = &candidate{Proposal: p, slot: s, decision: decisionOf(p, s), ofEvent: ofEvent[p.Strategy]}
			if n, is := over[j]; is {
				list[j].refuse(ByBounds, "%d proposals of %s for one target, and %d are taken: this one and the rest are left out", n, p.Strategy, ProposalsPerTarget)
				continue
			}
			a.validate(list[j], &s.doc)
		}
		arbitrate(list)
		for _, c := range list {
			if c.live() {
				deny(ctx, rev, c, &s.doc)
			}
		}
		out[i] = list
	})
	rec.Evaluated = int(evaluated.Load())
	a.failed = ""
	problems := map[string]int{}
	for _, s := range slots {
		for _, p := range s.problems {
			problems[fmt.Sprintf("strategy %s: %s", p.Strategy, Clip(p.Message))]++
		}
	}
	for _, text := range sortedKeys(problems) {
		a.failed = text
		rec.Problems = append(rec.Problems, fmt.Sprintf("%s (%d of %d targets)", text, problems[text], len(slots)))
	}
	return withinTurn(slices.Concat(out...))
}

// each runs do for 0..n-1 on all cores, in chunks: a target costs microseconds.
func each(n int, do func(int)) {
	workers := min(runtime.GOMAXPROCS(0), (n+63)/64)
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				from := int(next.Add(64)) - 64
				if from >= n {
					return
				}
				for i := from; i < min(from+64, n); i++ {
					do(i)
				}
			}
		})
	}
	wg.Wait()
}

func decisionOf(p Proposal, s *slot) Decision {
	because := make([]string, min(len(p.Because), becauseMost))
	for i := range because {
		because[i] = p.Because[i].String()
	}
	return Decision{
		Target: p.Target.ID(), Strategy: p.Strategy, Primitive: p.Primitive, With: p.With, Priority: p.Priority,
		Reason: p.Reason, Because: because, Rules: s.rules[p.Strategy], Verdict: Admitted,
	}
}

// report collects the decisions worth a row: those of a target where anything is
// done, or where what became of the proposals is not what it was the last time. What an
// event asks for is told each time: it is another's.
func (a *agent) report(slots []*slot, candidates []*candidate, trigger *TriggerInfo) []Decision {
	byTarget := map[*slot][]*candidate{}
	for _, c := range candidates {
		byTarget[c.slot] = append(byTarget[c.slot], c)
	}
	var out []Decision
	for _, s := range slots {
		list := byTarget[s]
		reported := &s.reported
		switch {
		case a.asked.looking != nil:
			reported = &s.looked
		case trigger.ofEvent():
			reported = new(string)
		}
		if len(list) == 0 {
			*reported = ""
			continue
		}
		acts, summary := false, ""
		for _, c := range list {
			d := &c.decision
			acts = acts || d.Verdict == Admitted
			summary += d.gist() + "\n"
		}
		if !acts && summary == *reported {
			continue
		}
		*reported = summary
		raw, err := json.Marshal(&s.doc)
		if err != nil { // a sensor's value that is no JSON: the decision stands, and says so
			raw, _ = json.Marshal(map[string]string{"error": err.Error()})
		}
		for _, c := range list {
			c.decision.Document = raw
			out = append(out, c.decision)
		}
	}
	return out
}
