package journal

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors of a journal, for errors.Is.
var (
	// ErrLocked means that another process has the journal open for writing.
	ErrLocked = errors.New("in use by another process")
	// ErrFull means that the volume, a quota or the file's size limit has no space left.
	ErrFull = errors.New("no space left")
	// ErrReadOnly means that the folder or the file can't be written.
	ErrReadOnly = errors.New("read-only")
	// ErrCorrupt means that the file is damaged, or is not a journal.
	ErrCorrupt = errors.New("not a sound journal")
	// ErrSchema means that the file was written by a newer Scanflow.
	ErrSchema = errors.New("newer schema")
	// ErrGone means that the file was moved, deleted or replaced while it was open.
	ErrGone = errors.New("file gone")
	// ErrLost means that a journal was kept here, and its file is missing, empty or another
	// journal's.
	ErrLost = errors.New("journal lost")
	// ErrIO means that the disk failed for an unknown reason.
	ErrIO = errors.New("input/output error")
	// ErrClosed means that the journal was closed.
	ErrClosed = errors.New("journal is closed")
	// ErrUnknown means that the caller's context ended during a write, and the write took too
	// long to wait for. It may have been done or not.
	ErrUnknown = errors.New("not known whether it was written")
	// ErrConflict means that a different record has the same key.
	ErrConflict = errors.New("already written, and different")
	// ErrNotFound means that there is no such intent, decision or document.
	ErrNotFound = errors.New("not found")
)

// LockedError is an ErrLocked with the process that holds the journal.
type LockedError struct {
	Dir string
	PID int // 0 if it is unknown
}

// Error names the folder, the process and the remedy.
func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("journal folder %s is in use by %s: stop it, or give this one a folder of its own", e.Dir, who)
}

// Is makes it an ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// FaultError is a failure of a disk, a file or a folder. It wraps both its kind (ErrFull,
// ErrReadOnly, ErrCorrupt, ErrSchema, ErrGone, ErrLost, ErrIO) and its cause.
type FaultError struct {
	Path string
	Kind error
	Err  error
}

var remedies = map[error]string{
	ErrFull:     "free some space; writing goes on by itself",
	ErrReadOnly: "make the folder and its files writable for this user",
	ErrCorrupt:  "it is left as it is; put a backup in its place",
	ErrSchema:   "run a Scanflow at least as new as the one that wrote it",
	ErrGone:     "put this very file back, and writing goes on by itself; after a copy or a backup in its place, start anew",
	ErrLost:     "put it back, or a backup of it",
	ErrIO:       "look at the volume and at the system's log",
}

// Error names the file, the fault and the remedy.
func (e *FaultError) Error() string {
	remedy := remedies[e.Kind]
	if errors.Is(e.Kind, ErrCorrupt) {
		remedy += "; to begin a new one, and forget cooldowns, approvals and what was done, move it away and delete " + identityPath(filepath.Dir(e.Path))
	}
	if errors.Is(e.Kind, ErrLost) {
		remedy += "; to go on without it, and forget cooldowns, approvals and what was done, delete " + identityPath(filepath.Dir(e.Path))
	}
	return fmt.Sprintf("journal %s: %v (%v): %s", e.Path, e.Kind, e.Err, remedy)
}

// Unwrap returns the kind and the cause.
func (e *FaultError) Unwrap() []error { return []error{e.Kind, e.Err} }

// asFault returns a *FaultError if the store failed, and nil if the caller made a mistake.
func asFault(path string, err error) *FaultError {
	var known *FaultError
	if err == nil || errors.As(err, &known) {
		return known
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		if errors.Is(err, sql.ErrConnDone) || errors.Is(err, driver.ErrBadConn) {
			return &FaultError{path, ErrIO, err}
		}
		if kind := errnoKind(err); kind != nil {
			return &FaultError{path, kind, err}
		}
		return nil
	}
	kind := ErrIO
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_INTERRUPT:
		return nil
	case sqlite3.SQLITE_FULL:
		kind = ErrFull
	case sqlite3.SQLITE_READONLY:
		kind = ErrReadOnly
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		kind = ErrCorrupt
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		if probed := probeWrite(filepath.Dir(path)); probed != nil {
			kind = probed
		}
	}
	return &FaultError{path, kind, err}
}

// errnoKind returns the kind of an error of the os package; nil if it is another error.
func errnoKind(err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return ErrFull
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return ErrReadOnly
	case errors.As(err, &errno):
		return ErrIO
	}
	return nil
}

// probeWrite writes a small file to find out why a write failed, which SQLite does not report.
// It returns the kind of the failure; nil if the file could be written.
func probeWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return errnoKind(err)
	}
	_, err = f.Write(make([]byte, 1<<16))
	err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	return errnoKind(err)
}
