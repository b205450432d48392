package journal

import (
	"context"
	"database/sql"
	"fmt"
)

// kept is what the names of kept values begin with in the table meta.
const kept = "kept:"

// Keep writes a small value under a name, in place of the one before, durably.
func (j *Journal) Keep(ctx context.Context, name string, value []byte) error {
	err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		return s.exec(ctx, `INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, kept+name, string(value))
	})
	if err != nil {
		return fmt.Errorf("keep %s in the journal: %w", name, err)
	}
	return nil
}

// Kept returns what was kept under a name, nil if nothing was.
func (j *Journal) Kept(ctx context.Context, name string) ([]byte, error) {
	var out []byte
	err := j.each(ctx, func(rows *sql.Rows) error { return rows.Scan(&out) }, `SELECT value FROM meta WHERE key = ?`, kept+name)
	if err != nil {
		return nil, fmt.Errorf("read %s, as the journal keeps it: %w", name, err)
	}
	return out, nil
}
