package journal

import (
	"errors"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/engine/filelock"
)

func lockPath(dir string) string { return filepath.Join(dir, "lock") }

// acquire keeps a second daemon away from a journal. The error is a *LockedError if another
// process has it open.
func acquire(dir string) (*filelock.Lock, error) {
	l, err := filelock.Acquire(lockPath(dir))
	if held := (*filelock.HeldError)(nil); errors.As(err, &held) {
		return nil, &LockedError{Dir: dir, PID: held.PID}
	}
	return l, err
}
