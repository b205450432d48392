package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Reader queries a journal. It is safe for concurrent use and writes nothing.
type Reader struct {
	db   *sql.DB
	path string
}

// File is the path of the journal in dir.
func File(dir string) string { return filepath.Join(dir, fileName) }

// OpenReader opens the journal in dir for reading, with or without a running daemon. It
// creates no file. The error wraps os.ErrNotExist if the folder has no journal, and is a
// *FaultError if the file can't be used.
func OpenReader(ctx context.Context, dir string) (*Reader, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	path := File(dir)
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the journal in %s can't be read: %w; read it as the user of the daemon, from its --data", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("no journal in %s (is it the folder given to the daemon as --data?): %w", dir, err)
	}
	if info.Size() == 0 {
		return nil, &FaultError{path, ErrCorrupt, errors.New("it is empty")}
	}
	db, err := openReadOnly(path, false)
	if err != nil {
		return nil, err
	}
	r := &Reader{db: db, path: path}
	v, err := version(ctx, db, path)
	if err == nil && v != schemaVersion {
		err = fmt.Errorf("journal %s has schema %d, and this program reads %d: start the daemon on it once", path, v, schemaVersion)
	}
	if err != nil {
		return nil, errors.Join(r.readError(err), db.Close())
	}
	return r, nil
}

// Close closes the reader.
func (r *Reader) Close() error { return r.db.Close() }

func (r *Reader) readError(err error) error {
	if f := asFault(r.path, err); f != nil {
		return f
	}
	return err
}

// Stats are the numbers of rows in a journal.
type Stats struct {
	Firings    int64 `json:"firings"`
	Decisions  int64 `json:"decisions"`
	Documents  int64 `json:"documents"`
	Acts       int64 `json:"acts"`
	OpenActs   int64 `json:"open_acts"`
	Notes      int64 `json:"notes"`
	Events     int64 `json:"events"`     // waiting in inboxes
	Deliveries int64 `json:"deliveries"` // waiting in the outbox
	Dead       int64 `json:"dead"`       // dead letters of both
	Approvals  int64 `json:"approvals"`
	UsedBytes  int64 `json:"used_bytes"`
	FreeBytes  int64 `json:"free_bytes"` // free space within the file
	FileSchema int   `json:"schema"`
}

// Stats counts the rows. It reads every table, so it is not meant for metrics.
func (r *Reader) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	var size, pages, free int64
	err := r.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM firings), (SELECT count(*) FROM decisions), (SELECT count(*) FROM documents),
		(SELECT count(*) FROM acts), (SELECT count(*) FROM acts WHERE status IS NULL), (SELECT count(*) FROM notes),
		(SELECT count(*) FROM inbox WHERE state = 'waiting'), (SELECT count(*) FROM outbox WHERE state = 'waiting'),
		(SELECT count(*) FROM inbox WHERE state = 'dead') + (SELECT count(*) FROM outbox WHERE state = 'dead'), (SELECT count(*) FROM approvals), (SELECT page_size FROM pragma_page_size),
		(SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count),
		(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'schema')`).
		Scan(&s.Firings, &s.Decisions, &s.Documents, &s.Acts, &s.OpenActs, &s.Notes, &s.Events, &s.Deliveries, &s.Dead, &s.Approvals, &size, &pages, &free, &s.FileSchema)
	if err != nil {
		return Stats{}, fmt.Errorf("count the rows: %w", r.readError(err))
	}
	s.UsedBytes, s.FreeBytes = (pages-free)*size, free*size
	return s, nil
}
