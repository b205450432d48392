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

// UserTokenFile is the token of the OS user in a data folder.
func UserTokenFile(data string) string { return filepath.Join(data, "token") }

// MakeUserToken has a data folder hold a token that nobody but the user who runs the
// process can read, and returns its file. A token that others could read is replaced,
// since it may be known, and so is a file without one. What is there and is no file of
// this user's is an error.
func MakeUserToken(data string, log hclog.Logger) (string, error) {
	file := UserTokenFile(data)
	err := checkUserToken(file)
	if errors.Is(err, errUnfit) {
		log.Warn("the token of the data folder is replaced", "error", err)
		if err = os.Remove(file); err == nil {
			err = fs.ErrNotExist
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = writeOnce(file, rand.Text()+rand.Text()+"\n"); errors.Is(err, fs.ErrExist) { // another was first
			err = checkUserToken(file)
		}
	}
	if err != nil {
		return "", fmt.Errorf("the token of the data folder: %w", err)
	}
	return file, nil
}

// errUnfit is of a token that has to be replaced.
var errUnfit = errors.New("it can't be relied upon")

// checkUserToken is an error where a file is not a token that its owner alone can read:
// fs.ErrNotExist where it isn't there.
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
		return fmt.Errorf("%s may be read or written by others: %w", file, errUnfit)
	}
	if _, err := TokenIn(file); err != nil {
		return fmt.Errorf("%w: %w", err, errUnfit)
	}
	return nil
}

// ownedByUser reports whether a file belongs to the user who runs this process.
func ownedByUser(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// UserName is the OS user who runs this process.
func UserName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// writeOnce writes a file as a whole, for its owner alone, unless it is there already: a
// crash leaves none that is cut short. It is fs.ErrExist then.
func writeOnce(file, text string) error {
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
