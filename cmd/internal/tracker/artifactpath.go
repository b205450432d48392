package tracker

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"unicode"
)

// What Linux takes, in bytes.
const (
	maxPath     = 2048
	maxFileName = 255
)

// artifactPath is a path as clients give it, relative to the folder; "." is the
// folder. One that climbs, or that another system would read otherwise, is refused.
func artifactPath(given string) (string, error) {
	if given == "" || given == "." {
		return ".", nil
	}
	if strings.ContainsAny(given, "\\#") || strings.HasPrefix(given, "/") || strings.ContainsFunc(given, unicode.IsControl) || climbs(given) {
		return "", errPath
	}
	clean := path.Clean(given)
	parts := strings.Split(clean, "/")
	if parts[0] == incoming || !fs.ValidPath(clean) || len(clean) > maxPath || slices.ContainsFunc(parts, func(s string) bool { return len(s) > maxFileName }) {
		return "", errPath
	}
	return clean, nil
}

// errPath is all that a client is told of a path that it may not take.
var errPath = invalid("Invalid path")

// unreadable tells a file that isn't there, or that a link would have led out of the
// folder, from a disk that failed.
func unreadable(name string, err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return missing("No such artifact: '%s'", shorten(name))
	case !errors.As(err, &errno):
		return errPath
	}
	return fmt.Errorf("read artifact: %w", err)
}

// unwritable tells also that a file and a folder want the same name.
func unwritable(name string, err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY):
		return invalid("'%s' can't be written: a file or a folder has its name, or that of its folder", shorten(name))
	case !errors.As(err, &errno):
		return errPath
	}
	return fmt.Errorf("keep artifact: %w", err)
}
