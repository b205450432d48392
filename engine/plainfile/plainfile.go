// Package plainfile reads files that another user may control. A pipe does not block the
// process, and a file without an end does not fill its memory. It imports only the standard
// library. Start reading at Read.
package plainfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

var (
	// ErrNotPlain is the error for a folder, a pipe, a device or a socket.
	ErrNotPlain = errors.New("is not a regular file")
	// ErrTooLarge is the error for a file with more bytes than the caller reads.
	ErrTooLarge = errors.New("is too large")
)

// tooLarge is an ErrTooLarge with the bound, in bytes.
type tooLarge int64

func (l tooLarge) Error() string        { return fmt.Sprintf("is larger than %d bytes", int64(l)) }
func (l tooLarge) Is(target error) bool { return target == ErrTooLarge }

// Open opens a regular file, or a link to one, for reading. It never blocks on a pipe. The
// error is an *fs.PathError, of ErrNotPlain or as from os.Open.
func Open(name string) (*os.File, error) {
	// Opening a device may have side effects, so the file is checked first, and again
	// after it was opened, because it may have been replaced.
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = notPlain(name)
	}
	if err != nil {
		return nil, asOpen(err)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = notPlain(name)
	}
	if err != nil {
		_ = f.Close() // only read
		return nil, err
	}
	return f, nil
}

// asOpen sets the operation of an error to "open".
func asOpen(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && path.Op == "stat" {
		path.Op = "open"
	}
	return err
}

func notPlain(name string) error { return &fs.PathError{Op: "read", Path: name, Err: ErrNotPlain} }

// Read reads a regular file of at most maxBytes. The error is an *fs.PathError, of ErrNotPlain,
// of ErrTooLarge, or as from os.ReadFile.
func Read(name string, maxBytes int64) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	raw, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && int64(len(raw)) > maxBytes {
		err = &fs.PathError{Op: "read", Path: name, Err: tooLarge(maxBytes)}
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}
