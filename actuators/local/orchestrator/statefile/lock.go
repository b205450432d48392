package statefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrInUse says that another process has the folder open.
var ErrInUse = errors.New("the state folder is in use by another process")

// Lock keeps a folder to one process. The kernel gives it back when the process ends,
// however it ends.
type Lock struct{ file *os.File }

// A process that is killed while it starts another leaves the lock to that one, until
// it has become its own program: some milliseconds.
const (
	lockTries = 25
	lockPause = 20 * time.Millisecond
)

// Acquire locks a folder. The error is ErrInUse where another process has it.
func Acquire(dir string) (*Lock, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state folder: %w", err)
	}
	for range lockTries {
		if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		<-time.After(lockPause)
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(fmt.Errorf("%s: %w; stop it, or use another folder", dir, ErrInUse), file.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock the state folder: %w", err), file.Close())
	}
	return &Lock{file}, nil
}

// Release unlocks before it closes: a child that is just being started has the file
// open too.
func (l *Lock) Release() error {
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}
