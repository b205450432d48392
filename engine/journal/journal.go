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

// Options are the settings of a journal. The zero value of each takes its default.
type Options struct {
	Log   hclog.Logger
	Clock engine.Clock
	// MaxAge is how long firings, decisions, documents, concluded acts, ended approvals,
	// dead letters and the names of handled and delivered events are kept; DefaultMaxAge.
	// An approval that counts for longer after its end is kept for as long as that.
	MaxAge time.Duration
	// MaxBytes is the size of the file at which the oldest go before their time; DefaultMaxBytes.
	MaxBytes int64
	// PruneEvery is how often old rows are looked for; DefaultPruneEvery.
	PruneEvery time.Duration
	// InboxMost is how many events may wait in one agent's inbox, and OutboxMost how many
	// deliveries in all; DefaultInboxMost, DefaultOutboxMost.
	InboxMost, OutboxMost int
	// MailBytes is how many bytes the events that wait may take, as JSON, in all inboxes
	// and the outbox together; DefaultMailBytes.
	MailBytes int64
	// Tolerant opens a journal whose disk is full or read-only too. Every call then
	// fails with what Health says, until the disk can be written again; nobody needs
	// to open it anew. Without it Open fails.
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
	dir, path string
	opts      Options
	writer    *writer
	ids       ids
	zips      sync.Pool
	health    atomic.Pointer[FaultError]
	reader    atomic.Pointer[Reader]
	mark      atomic.Pointer[mark]

	lock  *filelock.Lock // as the writer's goroutine connected it
	info  os.FileInfo    // the file, once it was open
	stop  context.CancelFunc
	loops sync.WaitGroup
	once  sync.Once
	ended error
}

// Open opens the journal in dir for writing, made with the folder if it isn't
// there. Another process that has it open is a *LockedError; a file that can't be
// used is a *FaultError. ctx bounds the opening, not the journal's life.
func Open(ctx context.Context, dir string, opts Options) (*Journal, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{dir: dir, path: filepath.Join(dir, fileName), opts: opts.withDefaults()}
	j.ids.sem = make(chan struct{}, 1)
	s, err := j.connect(ctx)
	if err != nil {
		f := fault(j.path, err)
		if f == nil || !opts.Tolerant || (!errors.Is(f.Kind, ErrFull) && !errors.Is(f.Kind, ErrReadOnly)) {
			return nil, errors.Join(err, j.disconnect())
		}
		j.report(f)
	}
	j.writer = newWriter(&writer{path: j.path, connect: j.connect, report: j.report, clock: j.opts.Clock, store: s})
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	j.stop = stop
	j.loops.Go(func() { j.keep(run) })
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
			return nil, j.fault(fmt.Errorf("make the folder: %w", err))
		}
		l, err := acquire(j.dir)
		if err != nil {
			return nil, j.fault(err)
		}
		j.lock = l
	}
	if j.info != nil {
		if err := (&store{path: j.path, info: j.info}).here(); err != nil {
			return nil, err
		}
	} else if err := j.known(ctx); err != nil {
		return nil, j.fault(err)
	}
	s, err := openStore(ctx, j.path, j.info == nil)
	if err != nil {
		return nil, j.fault(err)
	}
	if err := s.touch(ctx); err != nil {
		return nil, errors.Join(j.fault(err), s.close())
	}
	if j.info == nil {
		if err := j.note(ctx, s); err != nil {
			return nil, errors.Join(j.fault(err), s.close())
		}
	}
	if j.reader.Load() == nil {
		db, err := openReadOnly(j.path, true)
		if err != nil {
			return nil, errors.Join(j.fault(err), s.close())
		}
		j.reader.Store(&Reader{db: db, path: j.path})
	}
	j.info = s.info
	return s, nil
}

// touch finds out at the start whether the file can be written.
func (s *store) touch(ctx context.Context) error {
	return s.exec(ctx, `INSERT INTO meta VALUES ('opened', '1') ON CONFLICT (key) DO UPDATE SET value = value + 1`)
}

func (j *Journal) fault(err error) error {
	if f := fault(j.path, err); f != nil {
		return f
	}
	if errors.Is(err, ErrLocked) {
		return err
	}
	return fmt.Errorf("open journal %s: %w", j.path, err)
}

// Close writes what waits, stops the journal and gives its lock back.
func (j *Journal) Close() error {
	j.once.Do(func() {
		j.stop()
		j.loops.Wait()
		j.noteClosed()
		j.ended = errors.Join(j.writer.close(), j.disconnect())
	})
	return j.ended
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

// Health is nil while writes go well, and else the *FaultError of the last one.
// A journal that is ill tries by itself until it is well.
func (j *Journal) Health() error {
	if f := j.health.Load(); f != nil {
		return f
	}
	return nil
}

// report keeps the health, and says so where it turned.
func (j *Journal) report(f *FaultError) {
	before := j.health.Swap(f)
	switch {
	case f != nil && (before == nil || !errors.Is(before.Kind, f.Kind)):
		j.opts.Log.Error("the journal can't be written: no act until it can", "error", f)
	case f == nil && before != nil:
		j.opts.Log.Info("the journal can be written again", "file", j.path)
	}
}

// Reader is the journal's query side, which ends with the journal.
func (j *Journal) Reader() (*Reader, error) {
	if r := j.reader.Load(); r != nil {
		return r, nil
	}
	if err := j.Health(); err != nil {
		return nil, err
	}
	return nil, ErrClosed
}

// Size is how many bytes the journal takes on the disk.
func (j *Journal) Size() int64 {
	var n int64
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(j.path + suffix); err == nil {
			n += info.Size()
		}
	}
	return n
}
