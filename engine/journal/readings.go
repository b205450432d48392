package journal

import (
	"context"
	"database/sql"
	"fmt"
)

// SaveReadings keeps an agent's readings in place of the last; see engine.Journal.
func (j *Journal) SaveReadings(ctx context.Context, agent string, readings []byte) error {
	body, err := j.pack(readings)
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

// LoadReadings returns what was kept, nil if nothing was.
func (j *Journal) LoadReadings(ctx context.Context, agent string) ([]byte, error) {
	var out []byte
	err := j.each(ctx, func(rows *sql.Rows) error {
		var body []byte
		err := rows.Scan(&body)
		if err == nil {
			out, err = unpack(body)
		}
		return err
	}, `SELECT body FROM readings WHERE agent = ?`, agent)
	if err != nil {
		return nil, fmt.Errorf("load the readings of %s: %w", agent, err)
	}
	return out, nil
}
