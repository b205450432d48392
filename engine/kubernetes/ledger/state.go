package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// state is the sum of a log's records. Applying a record twice changes nothing, so a base may
// overlap with the records that it was made from. Its owner guards it.
type state struct {
	acts      map[string]*entry
	notes     map[noteKey]note
	queues    queues
	approvals map[string]approval
	alerts    map[alertKey]alertRecord
	order     int64
	n         int64 // the highest number of a record
	pruned    int   // how many acts the last pruning left
}

type entry struct {
	act
	order int64
	// local means that the history has the intent, ofPeer that it is another log's.
	local, ofPeer bool
}

type noteKey struct {
	agent    string
	target   target
	strategy string
}

func newState() *state {
	return &state{acts: map[string]*entry{}, notes: map[noteKey]note{}, queues: newQueues(), approvals: map[string]approval{}, alerts: map[alertKey]alertRecord{}}
}

func (n *note) key() noteKey { return noteKey{n.Agent, n.Target, n.Strategy} }

func (s *state) noteNumber(n int64) { s.n = max(s.n, n) }

func (s *state) apply(b *batch) {
	for _, a := range b.Acts {
		s.order++
		switch there := s.acts[a.Identity]; {
		case there == nil:
			s.acts[a.Identity] = &entry{act: a, order: s.order}
		case there.open() && !a.open():
			there.act = a
		}
	}
	for _, c := range b.Conclusions {
		s.conclude(c)
	}
	for _, n := range b.Notes {
		if len(n.Value) == 0 {
			delete(s.notes, n.key())
		} else {
			s.notes[n.key()] = n
		}
	}
	s.applyQueues(b)
	s.applyApprovals(b)
	s.applyAlerts(b)
}

func (s *state) conclude(c conclusion) {
	switch e := s.acts[c.Identity]; {
	case e == nil || !e.open() && !e.canBecome(c.Status):
	case c.Status == engine.Running:
		e.Begun = true
	default:
		e.Status, e.Detail, e.Wrote, e.Ended, e.Change = c.Status, c.Detail, c.Wrote, c.Ended, nil
	}
}

// inverse returns the record that undoes another. It is computed before that is applied, so it
// has the earlier notes.
func (s *state) inverse(b *batch, why string, now time.Time) *batch {
	undo := &batch{}
	for _, a := range b.Acts {
		if s.acts[a.Identity] == nil {
			undo.Conclusions = append(undo.Conclusions, conclusion{Identity: a.Identity, Status: engine.Abandoned, Detail: truncateDetail(why), Ended: nanos(now)})
		}
	}
	for _, n := range b.Notes {
		before, was := s.notes[n.key()]
		if !was {
			before = n
			before.Value = nil
		}
		undo.Notes = append(undo.Notes, before)
	}
	for _, h := range b.Handled {
		if l := s.queues.messages[h.eventKey]; l != nil && l.event != nil {
			undo.Reopened = append(undo.Reopened, l.posted())
		}
	}
	for k, n := range s.queues.fresh(b) {
		undo.Unposted = append(undo.Unposted, numbered{eventKey: k, N: n})
	}
	undo.Withdrawn = s.withdrawals(b)
	return undo
}

// mergePeer merges another log's acts and notes on targets that are owned here. The newer of
// two notes counts. An act that is open there is concluded by its owner; here it counts as
// done, so that cooldowns hold. Queues and approvals stay with the other log.
func (s *state) mergePeer(other *state, name string, owns func(engine.TargetID) bool) {
	for id, e := range other.acts {
		if s.acts[id] != nil || !owns(engine.TargetID(e.Target)) {
			continue
		}
		copied := *e
		copied.ofPeer = true
		if copied.open() {
			copied.Status, copied.Detail, copied.Ended, copied.Change = engine.Done, truncateDetail("as far as known; log "+name+" has it open"), e.At, nil
		}
		s.acts[id] = &copied
	}
	for k, n := range other.notes {
		if mine, have := s.notes[k]; owns(engine.TargetID(n.Target)) && (!have || n.At > mine.At) {
			s.notes[k] = n
		}
	}
}

// prune drops expired records, but no open intents, waiting events, and approvals that have not
// ended. It returns how many dead letters exceeded the limits.
func (s *state) prune(now time.Time, horizon, forget time.Duration) (lost int) {
	young, known := now.Add(-horizon).UnixNano(), now.Add(-forget).UnixNano()
	last, wrote := s.last(), s.lastWritten()
	maps.DeleteFunc(s.acts, func(id string, e *entry) bool {
		latest := max(e.At, e.Ended)
		isLast := last[e.lastKey()].Identity == id || wrote[e.writtenKey()] == e
		return !e.open() && latest < young && (!isLast || latest < known)
	})
	maps.DeleteFunc(s.notes, func(_ noteKey, n note) bool { return n.At < known })
	s.pruneApprovals(now)
	s.pruneAlerts(now)
	s.pruned = len(s.acts)
	return s.queues.prune(now, forget)
}

type lastKey struct {
	noteKey
	verb string
}

func (e *entry) lastKey() lastKey { return lastKey{noteKey{e.Agent, e.Target, e.Strategy}, e.Verb} }

// last returns the last act of each strategy and verb on each target, by the time of its
// intent, since records of several logs have no other order.
func (s *state) last() map[lastKey]*entry {
	out := make(map[lastKey]*entry, len(s.acts))
	for _, e := range s.acts {
		if there := out[e.lastKey()]; there == nil || byTime(there, e) < 0 {
			out[e.lastKey()] = e
		}
	}
	return out
}

type writtenKey struct {
	agent  string
	target target
	verb   string
}

func (e *entry) writtenKey() writtenKey { return writtenKey{e.Agent, e.Target, e.Verb} }

// lastWritten returns the last act of each verb on each target whose change was applied.
func (s *state) lastWritten() map[writtenKey]*entry {
	out := map[writtenKey]*entry{}
	for _, e := range s.acts {
		if there := out[e.writtenKey()]; e.Wrote && (there == nil || byTime(there, e) < 0) {
			out[e.writtenKey()] = e
		}
	}
	return out
}

func byTime(a, b *entry) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.order, b.order), cmp.Compare(a.Identity, b.Identity))
}

func byOrder(a, b *entry) int {
	return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Identity, b.Identity))
}

func (s *state) open(agent string) []engine.Intent {
	var found []*entry
	for _, e := range s.acts {
		if e.Agent == agent && e.open() {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, byOrder)
	out := make([]engine.Intent, len(found))
	for i, e := range found {
		out[i] = e.act.act().Intent
	}
	return out
}

func (s *state) remember(agent string, since time.Time) (engine.Recollection, error) {
	from := nanos(since)
	last, wrote := s.last(), s.lastWritten()
	var found []*entry
	for _, e := range s.acts {
		if e.Agent == agent && (e.open() || e.At >= from || e.Ended >= from || last[e.lastKey()] == e || wrote[e.writtenKey()] == e) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, byTime)
	var out engine.Recollection
	for _, e := range found {
		out.Acts = append(out.Acts, e.act.act())
	}
	var notes []note
	for _, n := range s.notes {
		if n.Agent == agent {
			notes = append(notes, n)
		}
	}
	slices.SortFunc(notes, func(a, b note) int {
		return cmp.Or(cmp.Compare(a.Target.Namespace, b.Target.Namespace), cmp.Compare(a.Target.Name, b.Target.Name),
			cmp.Compare(a.Target.Kind, b.Target.Kind), cmp.Compare(a.Strategy, b.Strategy))
	})
	for _, n := range notes {
		var value any
		if err := jsonvalue.Unmarshal(n.Value, &value); err != nil {
			return engine.Recollection{}, err
		}
		out.Notes = append(out.Notes, engine.StoredNote(engine.TargetID(n.Target), n.Strategy, value))
	}
	return out, nil
}
