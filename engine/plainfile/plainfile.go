// Package plainfile reads files that others may have put in place: a pipe must not hold the
// process, and what has no end must not fill its memory.
package plainfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

var (
	// ErrNotPlain is a folder, a pipe, a device or a socket.
	ErrNotPlain = errors.New("is not a regular file")
	// ErrTooLarge is a file with more bytes than are read.
	ErrTooLarge = errors.New("is too large")
)

// larger is an ErrTooLarge that names the bound, in bytes.
type larger int64

func (l larger) Error() string        { return fmt.Sprintf("is larger than %d bytes", int64(l)) }
func (l larger) Is(target error) bool { return target == ErrTooLarge }

// Open opens a regular file for reading, or what a link to one leads to. It never waits for
// the other end of a pipe. The error is an *fs.PathError, of ErrNotPlain or as os.Open has it.
func Open(name string) (*os.File, error) {
	// A device may act when it is opened, so it is not; what takes the place of the file
	// meanwhile is seen below.
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = notPlain(name)
	}
	if err != nil {
		return nil, opening(err)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|openAtOnce, 0)
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

// opening has an error say what was to be done.
func opening(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && path.Op == "stat" {
		path.Op = "open"
	}
	return err
}

func notPlain(name string) error { return &fs.PathError{Op: "read", Path: name, Err: ErrNotPlain} }

// Read reads a regular file of at most so many bytes. The error is an *fs.PathError, of
// ErrNotPlain, of ErrTooLarge, or as os.ReadFile has it.
func Read(name string, most int64) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(raw)) > most {
		err = &fs.PathError{Op: "read", Path: name, Err: larger(most)}
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}
