package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Enqueue puts an event into an agent's inbox; see engine.Journal. The source and
// id of a handled event are known for Options.MaxAge.
func (j *Journal) Enqueue(ctx context.Context, agent string, e engine.Event) (bool, error) {
	fail := func(err error) (bool, error) {
		return false, fmt.Errorf("enqueue event %s of %s for %s: %w", e.ID, e.Source, agent, err)
	}
	if agent == "" || e.ID == "" || e.Source == "" {
		return fail(errors.New("an event needs an agent, a source and an id"))
	}
	body, err := json.Marshal(e)
	if err != nil {
		return fail(err)
	}
	var n int64
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		var err error
		n, err = s.changed(ctx, `INSERT INTO inbox (agent, source, id, body) VALUES (?, ?, ?, ?) ON CONFLICT (agent, source, id) DO NOTHING`,
			agent, e.Source, e.ID, body)
		return err
	}); err != nil {
		return fail(err)
	}
	return n == 1, nil
}

// Inbox returns the events that wait, oldest first; see engine.Journal.
func (j *Journal) Inbox(ctx context.Context, agent string, limit int) ([]engine.Event, error) {
	var events []engine.Event
	err := j.each(ctx, func(rows *sql.Rows) error {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return err
		}
		var e engine.Event
		err := json.Unmarshal(body, &e)
		events = append(events, e)
		return err
	}, `SELECT body FROM inbox WHERE agent = ? AND handled IS NULL ORDER BY seq LIMIT ?`, agent, limit)
	if err != nil {
		return nil, fmt.Errorf("read the inbox of %s: %w", agent, err)
	}
	return events, nil
}

// handled keeps an event's name, so that it is not taken twice, and lets its body
// go: the firing has it.
func (s *store) handled(ctx context.Context, agent string, e engine.Event, at int64) error {
	return s.exec(ctx, `INSERT INTO inbox (agent, source, id, handled) VALUES (?, ?, ?, ?)
		ON CONFLICT (agent, source, id) DO UPDATE SET handled = coalesce(handled, excluded.handled), body = NULL`, agent, e.Source, e.ID, at)
}
