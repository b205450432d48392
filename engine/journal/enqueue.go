package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

var _ engine.Queue = (*Journal)(nil)

// encodedEvent is an event with its destinations, encoded before the transaction.
type encodedEvent struct {
	engine.Envelope
	body []byte
}

// queueLimits bounds the events in an inbox and in the outbox, and the size of all of them.
type queueLimits struct {
	inbox, outbox int
	bytes         int64
}

// Post queues events, all or none; see engine.Queue. The keys of handled and delivered events,
// and dead letters, are kept for Options.MaxAge.
func (j *Journal) Enqueue(ctx context.Context, postings []engine.Envelope) (int, error) {
	fail := func(err error) (int, error) { return 0, fmt.Errorf("post %s: %w", describePostings(postings), err) }
	encoded, err := encodeEvents(postings)
	if err != nil {
		return fail(err)
	}
	for _, p := range encoded {
		if int64(len(p.body)) > j.opts.MailBytes {
			return fail(fmt.Errorf("event %s has %d bytes, and all boxes hold %d: %w", engine.Echo(p.Event.ID), len(p.body), j.opts.MailBytes, engine.ErrTooLarge))
		}
	}
	if len(encoded) == 0 {
		return 0, nil
	}
	limits := queueLimits{j.opts.InboxMost, j.opts.OutboxMost, j.opts.MailBytes}
	at := nanos(j.opts.Clock.Now())
	added := 0
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		var err error
		added, err = s.enqueue(ctx, encoded, at, &limits)
		return err
	}); err != nil {
		return fail(err)
	}
	return added, nil
}

func describePostings(postings []engine.Envelope) string {
	if len(postings) == 1 {
		return describeEvent(&postings[0].Event)
	}
	return fmt.Sprintf("%d events", len(postings))
}

// describeEvent describes an event for an error.
func describeEvent(e *engine.Event) string {
	return fmt.Sprintf("event %s of %s", engine.Echo(e.ID), engine.Echo(e.Source))
}

// encodeEvents encodes events, or returns all their mistakes.
func encodeEvents(postings []engine.Envelope) ([]encodedEvent, error) {
	out := make([]encodedEvent, 0, len(postings))
	var errs []error
	for i, p := range postings {
		body, err := encodeEvent(p)
		if err != nil {
			errs = append(errs, fmt.Errorf("event %d (%s of %s): %w", i+1, engine.Echo(p.Event.ID), engine.Echo(p.Event.Source), err))
			continue
		}
		out = append(out, encodedEvent{p, body})
	}
	return out, errors.Join(errs...)
}

func encodeEvent(p engine.Envelope) ([]byte, error) {
	if p.Event.ID == "" || p.Event.Source == "" {
		return nil, errors.New("an event needs a source and an id")
	}
	for _, agent := range p.Agents {
		if agent == "" {
			return nil, errors.New("an inbox needs an agent")
		}
	}
	for _, to := range p.To {
		if to.URL == "" {
			return nil, errors.New("a destination needs a URL")
		}
	}
	return json.Marshal(p.Event)
}

// enqueue adds events to the queues that do not have them yet, and returns how many inboxes
// got one. Without limits the queues are unbounded.
func (s *store) enqueue(ctx context.Context, postings []encodedEvent, at int64, limits *queueLimits) (added int, err error) {
	for _, p := range postings {
		if err := s.deduplicateAlert(ctx, &p, at); err != nil {
			return 0, err
		}
		e := &p.Event
		for _, agent := range p.Agents {
			n, err := s.execCount(ctx, `INSERT INTO inbox (seq, place, agent, source, id, state, since, body) VALUES (?1, ?1, ?, ?, ?, 'waiting', ?, ?)
				ON CONFLICT (source, id, agent) DO NOTHING`, s.sizes.nextSeq(), agent, e.Source, e.ID, at, p.body)
			if err != nil {
				return 0, err
			}
			added += int(n)
			s.sizes.added(agent, n, int64(len(p.body)))
			if queued := s.sizes.waiting[agent]; n == 1 && limits != nil && queued > limits.inbox {
				return 0, fmt.Errorf("%s: %d wait in the inbox of %s already: %w", describeEvent(e), queued-1, agent, engine.ErrFull)
			}
			if err := s.sizes.checkBytes(&p, n, limits); err != nil {
				return 0, err
			}
		}
		for _, to := range p.To {
			n, err := s.execCount(ctx, `INSERT INTO outbox (seq, place, url, agent, source, id, state, since, body) VALUES (?1, ?1, ?, ?, ?, ?, 'waiting', ?, ?)
				ON CONFLICT (source, id, url, agent) DO NOTHING`, s.sizes.nextSeq(), to.URL, to.Agent, e.Source, e.ID, at, p.body)
			if err != nil {
				return 0, err
			}
			s.sizes.added(outboxQueue, n, int64(len(p.body)))
			if queued := s.sizes.waiting[outboxQueue]; n == 1 && limits != nil && queued > limits.outbox {
				return 0, fmt.Errorf("%s: %d wait in the outbox already: %w", describeEvent(e), queued-1, engine.ErrFull)
			}
			if err := s.sizes.checkBytes(&p, n, limits); err != nil {
				return 0, err
			}
			if err := s.dropReplaced(ctx, e.Source, p.Replaces, to, at); err != nil {
				return 0, err
			}
		}
	}
	return added, nil
}

// dropReplaced drops a waiting call that a newer one replaces.
func (s *store) dropReplaced(ctx context.Context, source, id string, to engine.Destination, at int64) error {
	if id == "" {
		return nil
	}
	var bytes int64
	err := s.queryRow(ctx, `SELECT octet_length(body) FROM outbox WHERE source = ? AND id = ? AND url = ? AND agent = ? AND state = 'waiting'`, []any{source, id, to.URL, to.Agent}, &bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := s.execCount(ctx, `UPDATE outbox SET state = 'dropped', since = ?, body = NULL WHERE source = ? AND id = ? AND url = ? AND agent = ? AND state = 'waiting'`, at, source, id, to.URL, to.Agent)
	s.sizes.removed(outboxQueue, n, bytes)
	return err
}

// checkBytes returns an engine.ErrFull if the queues are too large after n events, 0 or 1, were
// added.
func (q *queueSizes) checkBytes(p *encodedEvent, n int64, limits *queueLimits) error {
	if n == 0 || limits == nil || q.bytes <= limits.bytes {
		return nil
	}
	return fmt.Errorf("%s: the inboxes and the outbox hold %d bytes of %d: %w", describeEvent(&p.Event), q.bytes-int64(len(p.body)), limits.bytes, engine.ErrFull)
}
