package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/filelock"
)

var _ engine.Journal = (*Journal)(nil)

// Options configures a journal. Zero values mean the defaults.
type Options struct {
	Log   hclog.Logger
	Clock engine.Clock
	// MaxAge bounds the age of firings, decisions, documents, concluded acts, ended approvals,
	// dead letters and the keys of handled and delivered events; DefaultMaxAge. An approval
	// that is valid beyond its end is kept until it is not.
	MaxAge time.Duration
	// MaxBytes is the size of the file from which on the oldest rows are deleted earlier;
	// DefaultMaxBytes.
	MaxBytes int64
	// PruneEvery is the interval of deleting old rows; DefaultPruneEvery.
	PruneEvery time.Duration
	// InboxMost bounds the waiting events in one agent's inbox, and OutboxMost the waiting
	// deliveries; DefaultInboxMost, DefaultOutboxMost.
	InboxMost, OutboxMost int
	// MailBytes bounds the size, as JSON, of the waiting events in all inboxes and the outbox
	// together; DefaultMailBytes.
	MailBytes int64
	// Tolerant makes Open succeed if the disk is full or read-only. Every call then fails with
	// the error of Health until the disk can be written again, without reopening the journal.
	Tolerant bool
}

// The defaults of Options.
const (
	DefaultMaxAge     = 7 * 24 * time.Hour
	DefaultMaxBytes   = 1 << 30
	DefaultPruneEvery = time.Minute
	DefaultInboxMost  = 10_000
	DefaultOutboxMost = 100_000
	DefaultMailBytes  = 128 << 20
)

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	dir, path   string
	opts        Options
	writer      *writer
	firingIDs   firingIDs
	gzipWriters sync.Pool
	health      atomic.Pointer[FaultError]
	reader      atomic.Pointer[Reader]
	identity    atomic.Pointer[identityFile]

	lock      *filelock.Lock // set by connect, in the writer's goroutine
	info      os.FileInfo    // the file, after it was opened once
	stop      context.CancelFunc
	loops     sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Open opens the journal in dir for writing, and creates it with the folder if necessary. If
// another process has it open, the error is a *LockedError; if the file can't be used, a
// *FaultError. ctx bounds Open, not the life of the journal.
func Open(ctx context.Context, dir string, opts Options) (*Journal, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{dir: dir, path: filepath.Join(dir, fileName), opts: opts.withDefaults()}
	j.firingIDs.sem = make(chan struct{}, 1)
	s, err := j.connect(ctx)
	if err != nil {
		f := asFault(j.path, err)
		if f == nil || !opts.Tolerant || (!errors.Is(f.Kind, ErrFull) && !errors.Is(f.Kind, ErrReadOnly)) {
			return nil, errors.Join(err, j.disconnect())
		}
		j.report(f)
	}
	j.writer = newWriter(&writer{path: j.path, connect: j.connect, report: j.report, clock: j.opts.Clock, store: s})
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	j.stop = stop
	j.loops.Go(func() { j.maintain(run) })
	return j, nil
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	if o.MaxAge <= 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.PruneEvery <= 0 {
		o.PruneEvery = DefaultPruneEvery
	}
	if o.InboxMost <= 0 {
		o.InboxMost = DefaultInboxMost
	}
	if o.OutboxMost <= 0 {
		o.OutboxMost = DefaultOutboxMost
	}
	if o.MailBytes <= 0 {
		o.MailBytes = DefaultMailBytes
	}
	return o
}

// connect takes the lock and opens the file, or opens it again after a fault.
func (j *Journal) connect(ctx context.Context) (*store, error) {
	if j.lock == nil {
		if err := os.MkdirAll(j.dir, 0o700); err != nil {
			return nil, j.openError(fmt.Errorf("make the folder: %w", err))
		}
		l, err := acquire(j.dir)
		if err != nil {
			return nil, j.openError(err)
		}
		j.lock = l
	}
	if j.info != nil {
		if err := (&store{path: j.path, info: j.info}).checkFile(); err != nil {
			return nil, err
		}
	} else if err := j.verifyIdentity(ctx); err != nil {
		return nil, j.openError(err)
	}
	s, err := openStore(ctx, j.path, j.info == nil)
	if err != nil {
		return nil, j.openError(err)
	}
	if err := s.probeWrite(ctx); err != nil {
		return nil, errors.Join(j.openError(err), s.close())
	}
	if j.info == nil {
		if err := j.writeIdentity(ctx, s); err != nil {
			return nil, errors.Join(j.openError(err), s.close())
		}
	}
	if j.reader.Load() == nil {
		db, err := openReadOnly(j.path, true)
		if err != nil {
			return nil, errors.Join(j.openError(err), s.close())
		}
		j.reader.Store(&Reader{db: db, path: j.path})
	}
	j.info = s.info
	return s, nil
}

// probeWrite finds out whether the file can be written.
func (s *store) probeWrite(ctx context.Context) error {
	return s.exec(ctx, `INSERT INTO meta VALUES ('opened', '1') ON CONFLICT (key) DO UPDATE SET value = value + 1`)
}

func (j *Journal) openError(err error) error {
	if f := asFault(j.path, err); f != nil {
		return f
	}
	if errors.Is(err, ErrLocked) {
		return err
	}
	return fmt.Errorf("open journal %s: %w", j.path, err)
}

// Close writes what is pending, stops the journal and releases its lock.
func (j *Journal) Close() error {
	j.closeOnce.Do(func() {
		j.stop()
		j.loops.Wait()
		j.markClosed()
		j.closeErr = errors.Join(j.writer.close(), j.disconnect())
	})
	return j.closeErr
}

func (j *Journal) disconnect() error {
	var errs []error
	if r := j.reader.Load(); r != nil {
		errs = append(errs, r.Close())
	}
	if j.lock != nil {
		errs = append(errs, j.lock.Release())
	}
	return errors.Join(errs...)
}

// Health returns nil after a successful write, and else the *FaultError of the last one. The
// journal retries by itself until writes succeed.
func (j *Journal) Health() error {
	if f := j.health.Load(); f != nil {
		return f
	}
	return nil
}

// report stores the health and logs a change.
func (j *Journal) report(f *FaultError) {
	before := j.health.Swap(f)
	switch {
	case f != nil && (before == nil || !errors.Is(before.Kind, f.Kind)):
		j.opts.Log.Error("the journal can't be written: no act until it can", "error", f)
	case f == nil && before != nil:
		j.opts.Log.Info("the journal can be written again", "file", j.path)
	}
}

// Reader returns the reader of the journal, which is closed with the journal.
func (j *Journal) Reader() (*Reader, error) {
	if r := j.reader.Load(); r != nil {
		return r, nil
	}
	if err := j.Health(); err != nil {
		return nil, err
	}
	return nil, ErrClosed
}

// Size returns the size of the journal's files in bytes.
func (j *Journal) Size() int64 {
	var n int64
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(j.path + suffix); err == nil {
			n += info.Size()
		}
	}
	return n
}
