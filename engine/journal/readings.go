package journal

import (
	"context"
	"database/sql"
	"fmt"
)

// SaveReadings replaces an agent's readings; see engine.Journal.
func (j *Journal) SaveReadings(ctx context.Context, agent string, readings []byte) error {
	body, err := j.compress(readings)
	if err == nil {
		err = j.writer.do(ctx, func(ctx context.Context, s *store) error {
			return s.exec(ctx, `INSERT INTO readings VALUES (?, ?) ON CONFLICT (agent) DO UPDATE SET body = excluded.body`, agent, body)
		})
	}
	if err != nil {
		return fmt.Errorf("save the readings of %s: %w", agent, err)
	}
	return nil
}

// LoadReadings returns an agent's readings; nil if there are none.
func (j *Journal) LoadReadings(ctx context.Context, agent string) ([]byte, error) {
	var out []byte
	err := j.each(ctx, func(rows *sql.Rows) error {
		var body []byte
		err := rows.Scan(&body)
		if err == nil {
			out, err = decompress(body)
		}
		return err
	}, `SELECT body FROM readings WHERE agent = ?`, agent)
	if err != nil {
		return nil, fmt.Errorf("load the readings of %s: %w", agent, err)
	}
	return out, nil
}
