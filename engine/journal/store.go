package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/scanflow-k8s/scanflow/engine/filelock"
)

const (
	fileName = "journal.db"
	// checkTimeout bounds the integrity check at open; of a larger file it checks a part.
	checkTimeout = time.Second
	// busyTimeout bounds SQLite's wait for a lock that a reader holds.
	busyTimeout = 5 * time.Second
)

// store is the single connection that writes. Only the writer's goroutine uses it.
type store struct {
	path  string
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	sizes queueSizes
	info  os.FileInfo
}

// dsn returns the data source name of the file, with the pragmas of each connection.
func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_dqs": {"0"}, "_defensive": {"1"}, "_error_rc": {"1"}}
	q.Set("_busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
	q["_pragma"] = append(pragmas, "temp_store(MEMORY)") // there may be no writable folder for temporary files
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	return strings.ReplaceAll(u.String(), "?", "%3F") + "?" + q.Encode()
}

// openStore opens the file for writing, and creates it if create is set. It detects a damaged,
// foreign or newer file before it writes anything.
func openStore(ctx context.Context, path string, create bool) (*store, error) {
	if err := inspect(ctx, path); err != nil {
		return nil, err
	}
	if create { // SQLite would make it world-readable, and gives the log the same mode
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			err = f.Close()
		}
		if err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
	db, err := sql.Open("sqlite", dsn(path, "rw", "synchronous(FULL)", "journal_size_limit(16777216)"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	s := &store{path: path, db: db, stmts: map[string]*sql.Stmt{}}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *store) prepare(ctx context.Context) error {
	var err error
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	v, err := version(ctx, s.conn, s.path)
	if err != nil {
		return err
	}
	if v == 0 { // it only takes effect in a file without tables
		if _, err := s.conn.ExecContext(ctx, `PRAGMA auto_vacuum = INCREMENTAL`); err != nil {
			return err
		}
	}
	var mode string
	if err := s.conn.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return &FaultError{s.path, ErrIO, fmt.Errorf("the volume offers no shared memory (journal mode %q): keep the journal on a local disk", mode)}
	}
	// The log is kept at close, so that a reader finds all its files and creates none.
	if err := s.conn.Raw(func(c any) error {
		_, err := c.(sqlite.FileControl).FileControlPersistWAL("main", 1)
		return err
	}); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.loadQueueSizes(ctx); err != nil {
		return err
	}
	if s.info, err = os.Stat(s.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.path))
}

// inspect checks an existing file without writing to it.
func inspect(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err == nil && info.IsDir() {
		return &FaultError{path, ErrCorrupt, errors.New("it is a folder")}
	}
	if err != nil || info.Size() == 0 {
		if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
			return &FaultError{path, ErrCorrupt, errors.New("it is missing or empty, and its write-ahead log is not")}
		}
		return nil
	}
	db, err := openReadOnly(path, true)
	if err != nil {
		return err
	}
	return errors.Join(check(ctx, db, path), db.Close())
}

func check(ctx context.Context, db *sql.DB, path string) error {
	if _, err := version(ctx, db, path); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var verdict string
	err := db.QueryRowContext(limited, `PRAGMA quick_check(1)`).Scan(&verdict)
	switch {
	case limited.Err() != nil:
		return ctx.Err() // no fault in the part that was checked
	case err != nil:
		return err
	case verdict != "ok":
		return &FaultError{path, ErrCorrupt, errors.New(verdict)}
	}
	return nil
}

// openReadOnly opens the file so that nothing is written to it. A file without its log (a
// copy, a backup) is opened as immutable, unless a daemon is just creating the log. Only the
// owner, who holds the lock, may let SQLite create a missing index.
func openReadOnly(path string, owner bool) (*sql.DB, error) {
	source := dsn(path, "ro", "query_only(1)")
	_, noLog := os.Stat(path + "-wal")
	_, noIndex := os.Stat(path + "-shm")
	switch {
	case errors.Is(noLog, os.ErrNotExist) && (owner || !filelock.Held(lockPath(filepath.Dir(path)))):
		source += "&immutable=1"
	case owner:
	case noIndex == nil:
		source += "&readonly_shm=1"
	default:
		return nil, &FaultError{path, ErrIO, fmt.Errorf("its index %s is missing: copy it too, or start the daemon on it once", filepath.Base(path)+"-shm")}
	}
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(2)
	return db, nil
}

// syncDir makes new files in a folder survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// exec runs a statement, which is prepared at its first use.
func (s *store) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.execCount(ctx, query, args...)
	return err
}

// execCount is like exec and returns the number of changed rows.
func (s *store) execCount(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := s.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// queryRow queries one row.
func (s *store) queryRow(ctx context.Context, query string, args []any, dest ...any) error {
	st, err := s.stmt(ctx, query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(ctx, args...).Scan(dest...)
}

// queryInts runs a statement to its end and returns the first column of its rows.
func (s *store) queryInts(ctx context.Context, query string, args ...any) ([]int64, error) {
	st, err := s.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	columns, err := rows.Columns()
	var out []int64
	for err == nil && rows.Next() {
		if len(columns) == 0 { // incremental_vacuum returns a row without columns per step
			continue
		}
		var n int64
		err = rows.Scan(&n)
		out = append(out, n)
	}
	return out, errors.Join(err, rows.Err(), rows.Close())
}

func (s *store) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := s.stmts[query]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.stmts[query] = st
	return st, nil
}

// checkFile returns an error if the file is no longer the one that was opened: writes to a
// deleted file would be lost.
func (s *store) checkFile() error {
	now, err := os.Stat(s.path)
	if err != nil {
		return &FaultError{s.path, ErrGone, err}
	}
	if !os.SameFile(now, s.info) {
		return &FaultError{s.path, ErrGone, errors.New("another file has its name")}
	}
	if now.Size() == 0 && s.info.Size() > 0 {
		return &FaultError{s.path, ErrGone, errors.New("it was emptied")}
	}
	return nil
}

func (s *store) close() error {
	var errs []error
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	return errors.Join(append(errs, s.db.Close())...)
}
