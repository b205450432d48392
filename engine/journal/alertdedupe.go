package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

// deduplicateAlert sets the id of an event about an alert, depending on the last event about
// that alert, and stores the new state of the alert. Other events stay unchanged.
func (s *store) deduplicateAlert(ctx context.Context, ev *encodedEvent, at int64) error {
	e := &ev.Event
	if e.Alert == nil {
		return nil
	}
	var last *engine.AlertMemory
	var raw []byte
	switch err := s.queryRow(ctx, `SELECT body FROM alerts WHERE source = ? AND name = ?`, []any{e.Source, e.Alert.Name}, &raw); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(raw, &last); err != nil {
			return fmt.Errorf("read what was last said of alert %s of %s: %w", engine.Echo(e.Alert.Name), engine.Echo(e.Source), err)
		}
	}
	id, now := e.Alert.Next(last, e.ID, s.sizes.nextSeq())
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
	ev.body = body
	return err
}

// deleteOldAlerts deletes the states of alerts from before a time. It keeps those with events
// in an inbox, which could otherwise not be recognized as repeated. The id of such an event
// begins with the alert's name and a dash; the character after a dash is a full stop.
const deleteOldAlerts = `DELETE FROM alerts WHERE (source, name) IN (SELECT source, name FROM alerts a WHERE since < ?
	AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.source = a.source AND i.id >= a.name || '-' AND i.id < a.name || '.') LIMIT ?)`
