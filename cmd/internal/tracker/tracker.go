package tracker

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine/filelock"
)

// Options are the settings of a tracker.
type Options struct {
	// Dir is the folder of the file and the artifacts; made if it isn't there.
	Dir string
	// Now returns the time; nil: time.Now.
	Now func() time.Time
	// Random is the source of run ids and names; nil: crypto/rand. It is read by one goroutine
	// at a time.
	Random io.Reader
	// MaxArtifactBytes bounds a file that is uploaded; 0: DefaultMaxArtifactBytes.
	MaxArtifactBytes int64
	Log              hclog.Logger
}

// DefaultMaxArtifactBytes bounds a file that is uploaded.
const DefaultMaxArtifactBytes = 1 << 30

// Tracker is an open tracker. It is safe for concurrent use.
type Tracker struct {
	opts      Options
	store     *store
	artifacts *artifacts
	lock      *filelock.Lock
	draw      sync.Mutex // of opts.Random
	once      sync.Once
	ended     error
}

// Open opens the tracker in a folder. It returns ErrLocked if another process has it open, and
// ErrForeign if its file can't be used. ctx bounds the opening, not the tracker's life.
func Open(ctx context.Context, o Options) (*Tracker, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.MaxArtifactBytes <= 0 {
		o.MaxArtifactBytes = DefaultMaxArtifactBytes
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open tracker: %w", err)
	}
	t := &Tracker{opts: o}
	if err := t.open(ctx, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open tracker: %w", err), t.close())
	}
	return t, nil
}

func (t *Tracker) open(ctx context.Context, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if t.lock, err = acquire(dir); err != nil {
		return err
	}
	if t.artifacts, err = openArtifacts(dir, t.opts.MaxArtifactBytes); err != nil {
		return err
	}
	path := filepath.Join(dir, fileName)
	if t.store, err = openStore(ctx, path); err == nil {
		err = t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
			fresh, err := migrate(ctx, tx, path)
			if err != nil || !fresh {
				return err
			}
			return t.createDefault(ctx, tx)
		})
	}
	if damaged(err) {
		return fmt.Errorf("%w: %s is damaged (%w): move it away to begin a new one, or put a backup in its place", ErrForeign, path, err)
	}
	return err
}

// Close closes the tracker and releases its lock. All requests must have ended.
func (t *Tracker) Close() error {
	t.once.Do(func() { t.ended = t.close() })
	return t.ended
}

func (t *Tracker) close() error {
	var errs []error
	if t.store != nil {
		errs = append(errs, t.store.close())
	}
	if t.artifacts != nil {
		errs = append(errs, t.artifacts.close())
	}
	if t.lock != nil {
		errs = append(errs, t.lock.Release())
	}
	return errors.Join(errs...)
}

// acquire locks a folder against a second tracker.
func acquire(dir string) (*filelock.Lock, error) {
	l, err := filelock.Acquire(filepath.Join(dir, "lock"))
	if held := (*filelock.HeldError)(nil); errors.As(err, &held) {
		var pid string
		if held.PID != 0 {
			pid = fmt.Sprintf(" (pid %d)", held.PID)
		}
		return nil, fmt.Errorf("tracker folder %s is %w%s: stop that one, or pass another folder", dir, ErrLocked, pid)
	}
	return l, err
}

// now returns the time in milliseconds.
func (t *Tracker) now() int64 { return t.opts.Now().UnixMilli() }
