package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// Inbox returns the events that wait, oldest first; see engine.Queue. A limit below 0 is none.
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

// Bury makes a waiting event a dead letter; see engine.Queue. One that was handled or
// buried before stays what it is; one that never was there is an ErrNotFound.
func (j *Journal) DeadLetter(ctx context.Context, agent string, e engine.Event, why string) error {
	at := nanos(j.opts.Clock.Now())
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		var bytes int64
		err := s.row(ctx, `UPDATE inbox SET state = 'dead', since = ?, why = ? WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'
			RETURNING octet_length(body)`, []any{at, why, e.Source, e.ID, agent}, &bytes)
		if err == nil {
			s.boxes.gone(agent, 1, bytes)
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var state string
		err = s.row(ctx, `SELECT state FROM inbox WHERE source = ? AND id = ? AND agent = ?`, []any{e.Source, e.ID, agent}, &state)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		return err
	}); err != nil {
		return fmt.Errorf("bury event %s of %s in the inbox of %s: %w", e.ID, e.Source, agent, err)
	}
	return nil
}

// handled keeps an event's name, so that it is not taken twice, and lets its body
// go: the firing has it. One that was handled before stays as it is.
func (s *store) handled(ctx context.Context, agent string, e engine.Event, at int64) error {
	bytes, err := s.bytesOf(ctx, `SELECT octet_length(body) FROM inbox WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'`, e.Source, e.ID, agent)
	if err != nil {
		return err
	}
	n, err := s.changed(ctx, `UPDATE inbox SET state = 'handled', since = ?, body = NULL WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'`,
		at, e.Source, e.ID, agent)
	if err != nil || n == 1 {
		s.boxes.gone(agent, n, bytes)
		return err
	}
	// It was buried meanwhile, or handled, or never went through the inbox.
	n, err = s.changed(ctx, `INSERT INTO inbox (seq, place, agent, source, id, state, since) VALUES (?1, ?1, ?, ?, ?, 'handled', ?)
		ON CONFLICT (source, id, agent) DO UPDATE SET state = 'handled', since = excluded.since, body = NULL, why = '' WHERE state = 'dead'`,
		s.boxes.next(), agent, e.Source, e.ID, at)
	s.boxes.last += n
	return err
}

// held keeps an event that a firing did not do all for: it waits on behind the others, or
// is a dead letter. One that does not wait stays what it is.
func (s *store) held(ctx context.Context, agent string, h *engine.Disposition, body []byte, at int64) error {
	e := &h.Event
	bytes, err := s.bytesOf(ctx, `SELECT octet_length(body) FROM inbox WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'`, e.Source, e.ID, agent)
	if err != nil {
		return err
	}
	where, args := `, body = ? WHERE source = ? AND id = ? AND agent = ? AND state = 'waiting'`, []any{body, e.Source, e.ID, agent}
	if h.Dead {
		n, err := s.changed(ctx, `UPDATE inbox SET state = 'dead', since = ?, why = ?`+where, append([]any{at, h.Why}, args...)...)
		s.boxes.gone(agent, n, bytes)
		return err
	}
	n, err := s.changed(ctx, `UPDATE inbox SET place = ?, why = ?`+where, append([]any{s.boxes.next(), h.Why}, args...)...)
	s.boxes.gone(agent, n, bytes)
	s.boxes.put(agent, n, int64(len(body)))
	return err
}
