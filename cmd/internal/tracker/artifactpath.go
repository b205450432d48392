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

// Linux's limits, in bytes.
const (
	maxPath     = 2048
	maxFileName = 255
)

// artifactPath is a path as clients give it, relative to the folder; "." is the
// folder. A path with "..", or with another meaning on other systems, is rejected.
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

// errPath is the error for a path that is not allowed, without details.
var errPath = invalid("Invalid path")

// unreadable maps an error of reading: a file that does not exist, or whose link leads out of
// the folder, is distinguished from a disk failure.
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

// unwritable also maps the conflict of a file and a folder of the same name.
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
