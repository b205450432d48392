package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

// hear gives an event about an alert the id that it is kept under, by what was last said
// of the alert, and remembers what it says. Any other event stays as it is.
func (s *store) hear(ctx context.Context, p *posting, at int64) error {
	e := &p.Event
	if e.Alert == nil {
		return nil
	}
	var last *engine.AlertMemory
	var raw []byte
	switch err := s.row(ctx, `SELECT body FROM alerts WHERE source = ? AND name = ?`, []any{e.Source, e.Alert.Name}, &raw); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(raw, &last); err != nil {
			return fmt.Errorf("read what was last said of alert %s of %s: %w", engine.Echo(e.Alert.Name), engine.Echo(e.Source), err)
		}
	}
	id, now := e.Alert.Next(last, e.ID, s.boxes.next())
	if last == nil || now != *last {
		body, err := json.Marshal(now)
		if err != nil {
			return err
		}
		if err := s.exec(ctx, `INSERT INTO alerts VALUES (?, ?, ?, ?) ON CONFLICT (source, name) DO UPDATE SET since = excluded.since, body = excluded.body`,
			e.Source, e.Alert.Name, at, body); err != nil {
			return err
		}
	}
	if id == e.ID {
		return nil
	}
	e.ID = id
	body, err := json.Marshal(e)
	p.body = body
	return err
}

// oldAlerts deletes what was last said of alerts before a time, unless an event of theirs
// is known: it could not be told from a repeat any more. The id of such an event begins
// with the alert's name and a dash; the character after a dash is a full stop.
const oldAlerts = `DELETE FROM alerts WHERE (source, name) IN (SELECT source, name FROM alerts a WHERE since < ?
	AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.source = a.source AND i.id >= a.name || '-' AND i.id < a.name || '.') LIMIT ?)`
