package journal

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// schemaVersion is the newest schema that this program supports. A change of the tables adds a
// step to migrations.
const schemaVersion = 4

// applicationID marks the file as a journal of Scanflow ("SFJ1").
const applicationID = 0x53464a31

// migrations[i] upgrades schema i to schema i+1.
//
// A decision's id is its firing's seq shifted left by decisionBits, plus its index in the
// firing: the decisions of a firing are adjacent and in order without an index. Bodies are
// JSON; times are nanoseconds since the Unix epoch.
var migrations = [schemaVersion][]string{{
	`CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,

	`CREATE TABLE firings (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, at INTEGER NOT NULL,
		admitted INTEGER NOT NULL, refused INTEGER NOT NULL, body BLOB NOT NULL)`,
	`CREATE INDEX firings_at ON firings (at)`,

	`CREATE TABLE documents (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body BLOB NOT NULL)`,

	`CREATE TABLE decisions (id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, strategy TEXT NOT NULL,
		verb TEXT NOT NULL, verdict TEXT NOT NULL, identity TEXT, document INTEGER, body BLOB NOT NULL)`,
	`CREATE INDEX decisions_name ON decisions (name)`,
	`CREATE INDEX decisions_identity ON decisions (identity) WHERE identity IS NOT NULL`,
	`CREATE INDEX decisions_document ON decisions (document) WHERE document IS NOT NULL`,

	`CREATE TABLE acts (seq INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, namespace TEXT NOT NULL,
		name TEXT NOT NULL, kind TEXT NOT NULL, strategy TEXT NOT NULL, verb TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
		status TEXT, detail TEXT, ended INTEGER)`,
	`CREATE INDEX acts_key ON acts (agent, namespace, name, kind, strategy, verb)`,
	`CREATE INDEX acts_at ON acts (agent, at)`,
	`CREATE INDEX acts_ended ON acts (ended) WHERE ended IS NOT NULL`,
	`CREATE INDEX acts_open ON acts (agent) WHERE status IS NULL`,

	`CREATE TABLE notes (agent TEXT, namespace TEXT, name TEXT, kind TEXT, strategy TEXT, value BLOB NOT NULL,
		PRIMARY KEY (agent, namespace, name, kind, strategy)) WITHOUT ROWID`,

	`CREATE TABLE readings (agent TEXT PRIMARY KEY, body BLOB NOT NULL)`,

	`CREATE TABLE inbox (seq INTEGER PRIMARY KEY, agent TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
		body BLOB, handled INTEGER, UNIQUE (agent, source, id))`,
	`CREATE INDEX inbox_waiting ON inbox (agent) WHERE handled IS NULL`,
	`CREATE INDEX inbox_handled ON inbox (handled) WHERE handled IS NOT NULL`,
}, {
	`ALTER TABLE acts ADD COLUMN applied INTEGER NOT NULL DEFAULT 0`,
	`UPDATE acts SET applied = 1 WHERE status = 'done'`,
	`CREATE INDEX acts_applied ON acts (agent, namespace, name, kind, verb) WHERE applied = 1`,
}, {
	// Decisions that were neither admitted nor refused; they were counted as refused before.
	`ALTER TABLE firings ADD COLUMN unchanged INTEGER NOT NULL DEFAULT 0`,
	`ALTER TABLE firings ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0`,

	// An event in a queue is waiting, or in a final state: handled, delivered, unwanted or dead. since is the
	// time of the state, and place the order of the waiting events. Only waiting and dead events have a body.
	`ALTER TABLE inbox RENAME TO inbox_2`,
	`CREATE TABLE inbox (seq INTEGER PRIMARY KEY, place INTEGER NOT NULL, agent TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
		state TEXT NOT NULL, since INTEGER NOT NULL, why TEXT NOT NULL DEFAULT '', body BLOB, UNIQUE (source, id, agent))`,
	// The time of arrival was not stored: the event's own time, in seconds, is used instead.
	`INSERT INTO inbox (seq, place, agent, source, id, state, since, body) SELECT seq, seq, agent, source, id,
		CASE WHEN handled IS NULL THEN 'waiting' ELSE 'handled' END,
		coalesce(handled, min(max(unixepoch(json_extract(CAST(body AS TEXT), '$.time')), 0), 9000000000) * 1000000000, 0), body FROM inbox_2`,
	`DROP TABLE inbox_2`,
	`CREATE INDEX inbox_waiting ON inbox (agent, place) WHERE state = 'waiting'`,
	`CREATE INDEX inbox_dead ON inbox (since) WHERE state = 'dead'`,
	`CREATE INDEX inbox_ended ON inbox (since) WHERE state <> 'waiting'`,

	`CREATE TABLE outbox (seq INTEGER PRIMARY KEY, place INTEGER NOT NULL, url TEXT NOT NULL, agent TEXT NOT NULL, source TEXT NOT NULL,
		id TEXT NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL, why TEXT NOT NULL DEFAULT '', body BLOB, UNIQUE (source, id, url, agent))`,
	`CREATE INDEX outbox_waiting ON outbox (url, agent, source, place) WHERE state = 'waiting'`,
	`CREATE INDEX outbox_dead ON outbox (since) WHERE state = 'dead'`,
	`CREATE INDEX outbox_ended ON outbox (since) WHERE state <> 'waiting'`,

	`INSERT INTO meta VALUES ('mail', '0')`, // new events get numbers above this

	`CREATE TABLE approvals (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, state TEXT NOT NULL, ended INTEGER, body BLOB NOT NULL)`,
	`CREATE INDEX approvals_open ON approvals (seq) WHERE ended IS NULL`,
	`CREATE INDEX approvals_ended ON approvals (ended) WHERE ended IS NOT NULL`,
}, {
	// The last event about each alert, and when it arrived.
	`CREATE TABLE alerts (source TEXT NOT NULL, name TEXT NOT NULL, since INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (source, name)) WITHOUT ROWID`,
	`CREATE INDEX alerts_since ON alerts (since)`,
}}

// queryer is a *sql.DB or a *sql.Conn.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version returns the schema of the file, 0 for a file without any table. A file of another
// program, or with a newer schema, is refused.
func version(ctx context.Context, q queryer, path string) (int, error) {
	var tables, metas, app int
	if err := q.QueryRowContext(ctx, `SELECT count(*), count(CASE name WHEN 'meta' THEN 1 END) FROM sqlite_schema`).Scan(&tables, &metas); err != nil {
		return 0, err
	}
	if err := q.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&app); err != nil {
		return 0, err
	}
	if tables == 0 && app == 0 {
		return 0, nil
	}
	if app != applicationID {
		return 0, &FaultError{path, ErrCorrupt, errors.New("a database of some other program")}
	}
	if metas == 0 {
		return 0, &FaultError{path, ErrCorrupt, errors.New("its table meta is missing")}
	}
	text, err := meta(ctx, q, "schema")
	if errors.Is(err, sql.ErrNoRows) {
		return 0, &FaultError{path, ErrCorrupt, errors.New("it does not say its schema")}
	}
	if err != nil {
		return 0, err
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 1 {
		return 0, &FaultError{path, ErrCorrupt, fmt.Errorf("its schema is %q", text)}
	}
	if v > schemaVersion {
		return 0, &FaultError{path, ErrSchema, fmt.Errorf("it has schema %d, this program knows %d", v, schemaVersion)}
	}
	return v, nil
}

func meta(ctx context.Context, q queryer, key string) (string, error) {
	var value string
	if err := q.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, key).Scan(&value); err != nil {
		return "", fmt.Errorf("read %s: %w", key, err)
	}
	return value, nil
}

// migrate upgrades the file to schemaVersion in one transaction.
func (s *store) migrate(ctx context.Context) error {
	v, err := version(ctx, s.conn, s.path)
	if err != nil || v == schemaVersion {
		return err
	}
	if err := s.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	if err := s.upgrade(ctx, v); err != nil {
		return errors.Join(err, s.exec(ctx, `ROLLBACK`))
	}
	return s.exec(ctx, `COMMIT`)
}

func (s *store) upgrade(ctx context.Context, from int) error {
	for _, step := range migrations[from:] {
		for _, ddl := range step {
			if _, err := s.conn.ExecContext(ctx, ddl); err != nil {
				return err
			}
		}
	}
	if from == 0 {
		epoch := make([]byte, 8)
		if _, err := rand.Read(epoch); err != nil {
			return fmt.Errorf("draw the journal's epoch: %w", err)
		}
		if err := s.exec(ctx, `INSERT INTO meta VALUES ('epoch', ?), ('next', '1')`, hex.EncodeToString(epoch)); err != nil {
			return err
		}
		if _, err := s.conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID)); err != nil {
			return err
		}
	}
	return s.exec(ctx, `INSERT INTO meta VALUES ('schema', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, strconv.Itoa(schemaVersion))
}
