package journal

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// decisionBits is the number of bits of a decision's id for its index in the firing.
const decisionBits = 20

// firingBody is the JSON of a firing, in addition to its columns.
type firingBody struct {
	Trigger     engine.TriggerInfo   `json:"trigger"`
	Revision    string               `json:"revision"`
	Policy      engine.PolicyInfo    `json:"policy"`
	Lag         time.Duration        `json:"lag_ns"`
	Took        time.Duration        `json:"took_ns"`
	Targets     int                  `json:"targets"`
	Evaluated   int                  `json:"evaluated"`
	Evaluations int                  `json:"evaluations"`
	Signals     map[engine.State]int `json:"signals,omitempty"`
	Problems    []string             `json:"problems,omitempty"`
	Faults      []engine.SignalFault `json:"faults,omitempty"`
	More        int                  `json:"more_faults,omitempty"`
}

// encodedFiring is a record encoded before the transaction, to keep that short.
type encodedFiring struct {
	engine.FiringRecord
	body      []byte
	count     Verdicts
	decisions []encodedDecision
	documents []compressedDocument
	heldEvent []byte // the event that is requeued or buried, as JSON; nil without one
	notes     []storedNote
	intents   [][]byte
	approvals []encodedApproval
	events    []encodedEvent
}

// storedNote is a note as its row has it.
type storedNote struct {
	key   string
	value []byte
}

type encodedDecision struct {
	engine.Decision
	body     []byte
	document int // index in encodedFiring.documents; -1 without one
}

// RecordFiring writes a firing; see engine.Journal. A note without a value keeps the last one.
// An id that was recorded before is an ErrConflict.
func (j *Journal) RecordFiring(ctx context.Context, f engine.FiringRecord) error {
	encoded, err := j.encode(f)
	if err != nil {
		return fmt.Errorf("record a firing of %s: %w", f.Agent, err)
	}
	now := nanos(j.opts.Clock.Now())
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.record(ctx, encoded, now) }); err != nil {
		return fmt.Errorf("record a firing of %s: %w", f.Agent, err)
	}
	return nil
}

func (j *Journal) encode(f engine.FiringRecord) (*encodedFiring, error) {
	if f.ID == "" || f.Agent == "" {
		return nil, errors.New("a firing needs an id and an agent")
	}
	if len(f.Decisions) >= 1<<decisionBits {
		return nil, fmt.Errorf("%d decisions are more than a firing can have", len(f.Decisions))
	}
	out := &encodedFiring{FiringRecord: f, decisions: make([]encodedDecision, len(f.Decisions)), notes: make([]storedNote, len(f.Notes)), intents: make([][]byte, len(f.Intents))}
	var err error
	out.body, err = json.Marshal(firingBody{f.Trigger, f.Revision, f.Policy, f.Lag, f.Took, f.Targets, f.Evaluated, f.Evaluations, f.Signals, f.Problems, f.Faults, f.MoreFaults})
	if err != nil {
		return nil, err
	}
	indexes := map[[sha256.Size]byte]int{}
	for i, d := range f.Decisions {
		out.count.add(d.Verdict)
		if out.decisions[i], err = j.encodeDecision(out, indexes, d); err != nil {
			return nil, fmt.Errorf("decision %d on %s: %w", i, d.Target, err)
		}
	}
	for i, in := range f.Intents {
		if out.intents[i], err = encodeIntent(in); err != nil {
			return nil, err
		}
	}
	for i, n := range f.Notes {
		var value any
		out.notes[i].key, value = n.Stored()
		if out.notes[i].value, err = json.Marshal(value); err != nil {
			return nil, fmt.Errorf("note of %s on %s: %w", out.notes[i].key, n.Target, err)
		}
	}
	for _, c := range f.Approvals {
		change, err := j.encodeApproval(c)
		if err != nil {
			return nil, fmt.Errorf("approval %s: %w", c.Approval.ID, err)
		}
		out.approvals = append(out.approvals, change)
	}
	if h := f.Deferred; h != nil {
		if out.heldEvent, err = encodeEvent(engine.Envelope{Event: h.Event, Agents: []string{f.Agent}}); err != nil {
			return nil, fmt.Errorf("the event that is held back: %w", err)
		}
	}
	out.events, err = encodeEvents(f.Envelopes)
	return out, err
}

func (j *Journal) encodeDecision(f *encodedFiring, indexes map[[sha256.Size]byte]int, d engine.Decision) (encodedDecision, error) {
	out := encodedDecision{Decision: d, document: -1}
	if raw := d.Document; len(raw) > 0 {
		hash := sha256.Sum256(raw)
		index, ok := indexes[hash]
		if !ok {
			if !json.Valid(raw) {
				return out, errors.New("its document is not JSON")
			}
			body, err := j.compress(raw)
			if err != nil {
				return out, err
			}
			index = len(f.documents)
			indexes[hash] = index
			f.documents = append(f.documents, compressedDocument{hash, body})
		}
		out.document = index
	}
	d.Document = nil
	var err error
	out.body, err = json.Marshal(d)
	return out, err
}

func (s *store) record(ctx context.Context, f *encodedFiring, now int64) error {
	var seq int64
	n, err := s.execCount(ctx, `INSERT INTO firings (id, agent, at, admitted, refused, unchanged, waiting, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		f.ID, f.Agent, nanos(f.At), f.count.Admitted, f.count.Refused, f.count.Unchanged, f.count.Waiting, f.body)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrConflict
	}
	if len(f.decisions) > 0 {
		if err := s.queryRow(ctx, `SELECT seq FROM firings WHERE id = ?`, []any{f.ID}, &seq); err != nil {
			return err
		}
		if err := s.recordDecisions(ctx, f, seq); err != nil {
			return err
		}
	}
	for i, in := range f.Intents {
		if err := s.intend(ctx, in, f.intents[i]); err != nil {
			return err
		}
	}
	for i, note := range f.Notes {
		if note.Keeps() {
			continue
		}
		if err := s.exec(ctx, `INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
			f.Agent, note.Target.Namespace, note.Target.Name, note.Target.Kind, f.notes[i].key, f.notes[i].value); err != nil {
			return err
		}
	}
	for _, c := range f.approvals {
		if err := s.saveApproval(ctx, c); err != nil {
			return fmt.Errorf("approval %s: %w", c.Approval.ID, err)
		}
	}
	if _, err := s.enqueue(ctx, f.events, now, nil); err != nil {
		return err
	}
	switch e := f.Trigger.Event; {
	case f.Deferred != nil:
		return s.requeueOrBury(ctx, f.Agent, f.Deferred, f.heldEvent, now)
	case e != nil:
		return s.markHandled(ctx, f.Agent, *e, now)
	}
	return nil
}

func (s *store) recordDecisions(ctx context.Context, f *encodedFiring, seq int64) error {
	ids := make([]int64, len(f.documents))
	for i, doc := range f.documents {
		if err := s.queryRow(ctx, `INSERT INTO documents (hash, body) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET hash = hash RETURNING id`,
			[]any{doc.hash[:], doc.body}, &ids[i]); err != nil {
			return err
		}
	}
	for i, d := range f.decisions {
		var document, identity any
		if d.document >= 0 {
			document = ids[d.document]
		}
		if d.Identity != "" {
			identity = d.Identity
		}
		if err := s.exec(ctx, `INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, seq<<decisionBits|int64(i),
			d.Target.Namespace, d.Target.Name, d.Strategy, d.Primitive, string(d.Verdict), identity, document, d.body); err != nil {
			return err
		}
	}
	return nil
}

// nanos converts a time to its form in the tables; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
