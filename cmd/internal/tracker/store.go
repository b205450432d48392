package tracker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	fileName = "tracker.db"
	// readers is the number of searches that run concurrently, beside one write.
	readers = 4
)

// store is the database file, with one connection that writes and a few that read. Each
// request is one transaction, and so reads and leaves a consistent state.
type store struct {
	path        string
	write, read *sql.DB
}

func openStore(ctx context.Context, path string) (*store, error) {
	// SQLite would create the file readable for all users. Its log gets the file's mode.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	s := &store{path: path}
	if s.write, err = sql.Open("sqlite", dsn(path, "_txlock=immediate", "foreign_keys(1)", "synchronous(FULL)")); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn(path, "_txlock=deferred", "query_only(1)")); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// prepare checks the file before it changes anything, and then enables the write-ahead log,
// permanently.
func (s *store) prepare(ctx context.Context) error {
	if err := s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, _, err := schemaOf(ctx, tx, s.path)
		return err
	}); err != nil {
		return err
	}
	var mode string
	if err := s.write.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the volume of %s offers no shared memory (journal mode %q): keep the tracker on a local disk", s.path, mode)
	}
	return nil
}

// dsn returns the file's SQLite URI. LIKE is case-sensitive, as in MLflow.
func dsn(path, option string, pragmas ...string) string {
	q := url.Values{"mode": {"rw"}, "_dqs": {"0"}, "_defensive": {"1"}, "_pragma": append(pragmas, "busy_timeout(5000)", "temp_store(MEMORY)", "case_sensitive_like(1)")}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	return strings.ReplaceAll(u.String(), "?", "%3F") + "?" + q.Encode() + "&" + option
}

// update runs a function in a transaction, which is durable when update returns nil.
func (s *store) update(ctx context.Context, run func(context.Context, *sql.Tx) error) error {
	return within(ctx, s.write, nil, run)
}

// view runs a function on a snapshot of the file.
func (s *store) view(ctx context.Context, run func(context.Context, *sql.Tx) error) error {
	return within(ctx, s.read, &sql.TxOptions{ReadOnly: true}, run)
}

func within(ctx context.Context, db *sql.DB, o *sql.TxOptions, run func(context.Context, *sql.Tx) error) (err error) {
	defer func() {
		var known *apiError
		if err != nil && !errors.As(err, &known) && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", errBusy, err)
		}
	}()
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	if err := run(ctx, tx); err != nil {
		return errors.Join(err, rollback(tx))
	}
	return tx.Commit()
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil // its context ended, and took it back
}

// close checkpoints the log and closes the file.
func (s *store) close() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	return errors.Join(errs...)
}

// taken reports whether a row was rejected because its name is in use.
func taken(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// execute runs a statement that returns no rows.
func execute(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

// each runs a query and calls a function that scans each row.
func each(ctx context.Context, tx *sql.Tx, query string, args []any, row func(scan func(...any) error) error) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for err == nil && rows.Next() {
		err = row(rows.Scan)
	}
	return errors.Join(err, rows.Err(), rows.Close())
}

// damaged reports whether the file is a corrupt database.
func damaged(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}
