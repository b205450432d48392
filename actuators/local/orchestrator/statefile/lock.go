package statefile

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/filelock"
)

// ErrInUse says that another process has the folder open.
var ErrInUse = errors.New("the state folder is in use by another process")

// lockWithin bounds the attempts of Acquire. A process that is killed while it starts another
// leaves the lock to that one, until it has become its own program: some milliseconds.
const lockWithin = 500 * time.Millisecond

// Acquire locks a folder. The error is ErrInUse where another process has it.
func Acquire(dir string) (*filelock.Lock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockWithin)
	defer cancel()
	switch l, err := filelock.Wait(ctx, filepath.Join(dir, "lock")); {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%s: %w; stop it, or use another folder", dir, ErrInUse)
	case err != nil:
		return nil, fmt.Errorf("lock the state folder: %w", err)
	default:
		return l, nil
	}
}
