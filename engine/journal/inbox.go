package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// Inbox returns the waiting events, oldest first; see engine.Queue. A negative limit means
// none.
func (j *Journal) Inbox(ctx context.Context, agent string, limit int) ([]engine.Event, error) {
	var events []engine.Event
	err := j.each(ctx, func(rows *sql.Rows) error {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return err
		}
		var e engine.Event
		err := jsonvalue.Unmarshal(body, &e)
		events = append(events, e)
		return err
	}, `SELECT body FROM inbox WHERE agent = ? AND state = 'waiting' ORDER BY place LIMIT ?`, agent, limit)
	if err != nil {
		return nil, fmt.Errorf("read the inbox of %s: %w", agent, err)
	}
	return events, nil
}

// Bury turns a waiting event into a dead letter; see engine.Queue. An event in another state
// keeps it. It is an ErrNotFound if the inbox never had the event.
func (j *Journal) DeadLetter(ctx context.Context, agent string, e engine.Event, why string) error {
	at := nanos(j.opts.Clock.Now())
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		var bytes int64
		err := s.queryRow(ctx, `UPDATE inbox SET state = 'dead', since = ?, why = ? WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'
			RETURNING octet_length(body)`, []any{at, why, e.Source, e.ID, agent}, &bytes)
		if err == nil {
			s.sizes.removed(agent, 1, bytes)
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var state string
		err = s.queryRow(ctx, `SELECT state FROM inbox WHERE source = ? AND id = ? AND agent = ?`, []any{e.Source, e.ID, agent}, &state)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		return err
	}); err != nil {
		return fmt.Errorf("bury event %s of %s in the inbox of %s: %w", e.ID, e.Source, agent, err)
	}
	return nil
}

// markHandled keeps the key of an event, so that it is not accepted again, and deletes its
// body, which the firing has. An event that was handled before stays unchanged.
func (s *store) markHandled(ctx context.Context, agent string, e engine.Event, at int64) error {
	bytes, err := s.bodyLength(ctx, `SELECT octet_length(body) FROM inbox WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'`, e.Source, e.ID, agent)
	if err != nil {
		return err
	}
	n, err := s.execCount(ctx, `UPDATE inbox SET state = 'handled', since = ?, body = NULL WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'`,
		at, e.Source, e.ID, agent)
	if err != nil || n == 1 {
		s.sizes.removed(agent, n, bytes)
		return err
	}
	// It was buried or handled in the meantime, or it never was in the inbox.
	n, err = s.execCount(ctx, `INSERT INTO inbox (seq, place, agent, source, id, state, since) VALUES (?1, ?1, ?, ?, ?, 'handled', ?)
		ON CONFLICT (source, id, agent) DO UPDATE SET state = 'handled', since = excluded.since, body = NULL, why = '' WHERE state = 'dead'`,
		s.sizes.nextSeq(), agent, e.Source, e.ID, at)
	s.sizes.lastSeq += n
	return err
}

// requeueOrBury keeps an event that a firing did not handle completely: it waits again at the
// end of the queue, or becomes a dead letter. An event in another state keeps it.
func (s *store) requeueOrBury(ctx context.Context, agent string, h *engine.Disposition, body []byte, at int64) error {
	e := &h.Event
	bytes, err := s.bodyLength(ctx, `SELECT octet_length(body) FROM inbox WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'`, e.Source, e.ID, agent)
	if err != nil {
		return err
	}
	where, args := `, body = ? WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'`, []any{body, e.Source, e.ID, agent}
	if h.Dead {
		n, err := s.execCount(ctx, `UPDATE inbox SET state = 'dead', since = ?, why = ?`+where, append([]any{at, h.Why}, args...)...)
		s.sizes.removed(agent, n, bytes)
		return err
	}
	n, err := s.execCount(ctx, `UPDATE inbox SET place = ?, why = ?`+where, append([]any{s.sizes.nextSeq(), h.Why}, args...)...)
	s.sizes.removed(agent, n, bytes)
	s.sizes.added(agent, n, int64(len(body)))
	return err
}
