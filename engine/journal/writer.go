package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// maxBatch bounds the writes that share a transaction, and with that the delay of each.
	maxBatch = 128
	// defaultUnknownAfter bounds the wait of a caller whose context ended for a write that has
	// started.
	defaultUnknownAfter = 3 * time.Second
)

// writer combines the writes of concurrent callers into one transaction, which is synced to
// the disk once. The next batch collects during a transaction; an idle writer starts at once.
//
//	caller --do--> pending --nextBatch--> attempt: BEGIN, each in a savepoint, COMMIT --> result of each caller
//	                                         |  the store failed
//	                                         v
//	                                      attempt again, one by one
type writer struct {
	path         string
	connect      func(context.Context) (*store, error)
	report       func(*FaultError) // called after each attempt; nil after a success
	clock        engine.Clock
	unknownAfter time.Duration

	mu      sync.Mutex
	pending []*write
	closed  bool
	wake    chan struct{}
	done    chan struct{}

	store *store // used by loop only
}

const (
	writePending int32 = iota
	writeStarted
	writeCancelled
)

// write is one caller's part of a transaction. run is called again if the first attempt was
// rolled back.
type write struct {
	run   func(context.Context, *store) error
	state atomic.Int32
	done  chan error
}

func newWriter(w *writer) *writer {
	w.wake, w.done = make(chan struct{}, 1), make(chan struct{})
	if w.unknownAfter == 0 {
		w.unknownAfter = defaultUnknownAfter
	}
	go w.loop()
	return w
}

// do executes run in a transaction, and returns once that is on the disk. The caller may only
// use results of run if do returned nil.
func (w *writer) do(ctx context.Context, run func(context.Context, *store) error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("not written: %w", context.Cause(ctx))
	}
	wr := &write{run: run, done: make(chan error, 1)}
	if !w.submit(wr) {
		return ErrClosed
	}
	select {
	case err := <-wr.done:
		return err
	case <-ctx.Done():
	}
	if wr.state.CompareAndSwap(writePending, writeCancelled) {
		return fmt.Errorf("not written: %w", context.Cause(ctx))
	}
	late, stop := w.clock.Timer(w.unknownAfter)
	defer stop()
	select {
	case err := <-wr.done:
		return err
	case <-late:
		return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
}

func (w *writer) submit(wr *write) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.pending = append(w.pending, wr)
	w.signal()
	return true
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// close refuses new writes, executes the pending ones, and ends the loop.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	w.signal()
	w.mu.Unlock()
	<-w.done
	if w.store == nil {
		return nil
	}
	// A failed checkpoint loses nothing: the log is read at the next start.
	err := w.store.exec(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`)
	return errors.Join(err, w.store.close())
}

func (w *writer) loop() {
	defer close(w.done)
	for {
		batch := w.nextBatch()
		if batch == nil {
			return
		}
		w.runBatch(batch)
	}
}

// nextBatch waits for writes. It returns nil after the writer was closed and all were
// executed.
func (w *writer) nextBatch() []*write {
	for {
		w.mu.Lock()
		n := min(len(w.pending), maxBatch)
		batch := w.pending[:n:n]
		w.pending = w.pending[n:]
		closed := w.closed
		w.mu.Unlock()
		if n > 0 {
			return batch
		}
		if closed {
			return nil
		}
		<-w.wake
	}
}

func (w *writer) runBatch(batch []*write) {
	live := batch[:0]
	for _, wr := range batch {
		if wr.state.CompareAndSwap(writePending, writeStarted) {
			live = append(live, wr)
		}
	}
	if len(live) == 0 {
		return
	}
	errs, failed := w.attempt(live)
	switch {
	case failed == nil:
		for i, wr := range live {
			wr.done <- errs[i]
		}
	case len(live) == 1:
		live[0].done <- failed
	default: // a huge write on a nearly full disk must not fail the others
		for _, wr := range live {
			if errs, failed := w.attempt([]*write{wr}); failed != nil {
				wr.done <- failed
			} else {
				wr.done <- errs[0]
			}
		}
	}
}

// attempt executes a batch in one transaction. The errors are those of each write; the single
// error is the store's, and means that none was written.
func (w *writer) attempt(batch []*write) ([]error, error) {
	ctx := context.Background() // cancelling the transaction would affect the other writes
	errs, err := w.transact(ctx, batch)
	if err != nil {
		failed := w.recover(ctx, err)
		w.report(failed)
		return nil, failed
	}
	if slices.Contains(errs, nil) {
		w.report(nil)
	}
	return errs, nil
}

func (w *writer) transact(ctx context.Context, batch []*write) ([]error, error) {
	if w.store == nil {
		s, err := w.connect(ctx)
		if err != nil {
			return nil, err
		}
		w.store = s
	}
	if err := w.store.checkFile(); err != nil {
		return nil, err
	}
	return w.store.transact(ctx, batch)
}

// recover restores the store to a state in which the next write can succeed.
func (w *writer) recover(ctx context.Context, err error) *FaultError {
	failed := asFault(w.path, err)
	if failed == nil {
		failed = &FaultError{w.path, ErrIO, err}
	}
	if w.store == nil {
		return failed
	}
	if errors.Is(failed.Kind, ErrFull) {
		// A checkpoint lets the next write reuse the space of the log.
		_ = w.store.exec(ctx, `PRAGMA wal_checkpoint(PASSIVE)`)
		return failed
	}
	_ = w.store.close()
	w.store = nil
	return failed
}

func (s *store) transact(ctx context.Context, batch []*write) (errs []error, err error) {
	if err := s.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil { // SQLite may have rolled back already
			_, _ = s.conn.ExecContext(ctx, `ROLLBACK`)
			s.sizes.rollbackTo(0)
			return
		}
		s.sizes.commit()
	}()
	if len(batch) == 1 { // needs no savepoint
		if own := batch[0].run(ctx, s); own != nil {
			if f := asFault(s.path, own); f != nil {
				return nil, f
			}
			s.sizes.rollbackTo(0)
			return []error{own}, s.exec(ctx, `ROLLBACK`)
		}
		return []error{nil}, s.exec(ctx, `COMMIT`)
	}
	errs = make([]error, len(batch))
	for i, wr := range batch {
		own, err := s.runInSavepoint(ctx, wr)
		if err != nil {
			return nil, err
		}
		errs[i] = own
	}
	return errs, s.exec(ctx, `COMMIT`)
}

// runInSavepoint executes one write in a savepoint. own is the write's error, which rolls back
// only that write; err is the store's.
func (s *store) runInSavepoint(ctx context.Context, wr *write) (own, err error) {
	if err := s.exec(ctx, `SAVEPOINT one`); err != nil {
		return nil, err
	}
	mark := s.sizes.savepoint()
	if own = wr.run(ctx, s); own != nil {
		if f := asFault(s.path, own); f != nil {
			return nil, f
		}
		if err := s.exec(ctx, `ROLLBACK TO one`); err != nil {
			return nil, err
		}
		s.sizes.rollbackTo(mark)
	}
	return own, s.exec(ctx, `RELEASE one`)
}
