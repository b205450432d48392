// Package filelock keeps a folder or a build to one process by a lock on a file. The kernel
// gives the lock back when the process ends, however it ends, so a stale file is no lock. It
// imports nothing of this module.
package filelock

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// HeldError says that another process holds the lock.
type HeldError struct {
	Path string
	PID  int // 0 where the holder has not written it
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return e.Path + " is locked by another process"
	}
	return fmt.Sprintf("%s is locked by process %d", e.Path, e.PID)
}

// Lock is a lock that this process holds.
type Lock struct{ file *flock.Flock }

// Acquire locks a file, which it creates if need be, and writes its pid into it. The error is
// a *HeldError if another process holds the lock.
func Acquire(path string) (*Lock, error) { return lock(path, (*flock.Flock).TryLock) }

// retryEvery is the interval of Wait's attempts.
const retryEvery = 20 * time.Millisecond

// Wait is Acquire, repeated until the lock is free. If ctx ends before, it returns the error
// of ctx.
func Wait(ctx context.Context, path string) (*Lock, error) {
	return lock(path, func(file *flock.Flock) (bool, error) { return file.TryLockContext(ctx, retryEvery) })
}

func lock(path string, try func(*flock.Flock) (bool, error)) (*Lock, error) {
	file := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR))
	switch locked, err := try(file); {
	case err != nil:
		return nil, err
	case !locked:
		return nil, &HeldError{path, holder(path)}
	}
	// The lock holds without the pid, so a disk too full for it is no reason to stop.
	_ = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	return &Lock{file}, nil
}

// Release gives the lock back. It unlocks before it closes the file: a child that is being
// started has the file open too, until it is its own program.
func (l *Lock) Release() error { return l.file.Unlock() }

// Held reports whether a process holds the lock. It creates nothing.
func Held(path string) bool {
	file := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := file.TryRLock()
	defer func() { _ = file.Unlock() }()
	return err == nil && !free
}

func holder(path string) int {
	raw, _ := os.ReadFile(path)
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0
	}
	return pid
}
