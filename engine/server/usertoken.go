package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"syscall"

	"github.com/hashicorp/go-hclog"
)

// UserTokenFile returns the file of the OS user's token in a data folder.
func UserTokenFile(data string) string { return filepath.Join(data, "token") }

// EnsureUserToken returns the file of a token in a data folder that only the user who runs the
// process can read, and creates it if necessary. A token that others could read may be known
// to them and is replaced, and so is a file without a token. It is an error if the path is not
// a regular file of this user.
func EnsureUserToken(data string, log hclog.Logger) (string, error) {
	file := UserTokenFile(data)
	err := checkUserToken(file)
	if errors.Is(err, errUnsafeToken) {
		log.Warn("the token of the data folder is replaced", "error", err)
		if err = os.Remove(file); err == nil {
			err = fs.ErrNotExist
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = createExclusive(file, rand.Text()+rand.Text()+"\n"); errors.Is(err, fs.ErrExist) { // another process was first
			err = checkUserToken(file)
		}
	}
	if err != nil {
		return "", fmt.Errorf("the token of the data folder: %w", err)
	}
	return file, nil
}

// errUnsafeToken means that a token has to be replaced.
var errUnsafeToken = errors.New("it can't be relied upon")

// checkUserToken returns an error if a file is not a token that only its owner can read;
// fs.ErrNotExist if it is missing.
func checkUserToken(file string) error {
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file; remove it, and a token is made at the next start", file)
	case !ownedByUser(info):
		return fmt.Errorf("%s belongs to another user; remove it, and a token is made at the next start", file)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s may be read or written by others: %w", file, errUnsafeToken)
	}
	if _, err := TokenFromFile(file); err != nil {
		return fmt.Errorf("%w: %w", err, errUnsafeToken)
	}
	return nil
}

// ownedByUser reports whether a file belongs to the user who runs this process.
func ownedByUser(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// UserName returns the OS user who runs this process.
func UserName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// createExclusive creates a file that only its owner can read. It writes a temporary file
// first, so that a crash leaves no partial file. It is fs.ErrExist if the file exists.
func createExclusive(file, text string) error {
	part, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-") // O_EXCL, 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part.Name()) }()
	_, err = part.WriteString(text)
	if err = errors.Join(err, part.Sync(), part.Close()); err != nil {
		return err
	}
	return os.Link(part.Name(), file)
}
