package journal

import (
	"context"
	"database/sql"
	"fmt"
)

// valuePrefix is the prefix of the keys of kept values in the table meta.
const valuePrefix = "kept:"

// Keep writes a small value by name, durably. It replaces the previous one.
func (j *Journal) Keep(ctx context.Context, name string, value []byte) error {
	err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		return s.exec(ctx, `INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, valuePrefix+name, string(value))
	})
	if err != nil {
		return fmt.Errorf("keep %s in the journal: %w", name, err)
	}
	return nil
}

// Kept returns the value of a name; nil if there is none.
func (j *Journal) Kept(ctx context.Context, name string) ([]byte, error) {
	var out []byte
	err := j.each(ctx, func(rows *sql.Rows) error { return rows.Scan(&out) }, `SELECT value FROM meta WHERE key = ?`, valuePrefix+name)
	if err != nil {
		return nil, fmt.Errorf("read %s, as the journal keeps it: %w", name, err)
	}
	return out, nil
}
