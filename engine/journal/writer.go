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
	// maxBatch bounds how many writes share a transaction, and so how long each waits.
	maxBatch = 128
	// patience is how long a caller whose context ended waits for a write that had begun.
	patience = 3 * time.Second
)

// writer puts the writes of many callers into one transaction, and so one trip to
// the disk. While a trip is under way the next batch gathers; nobody waits for
// company.
//
//	caller --do--> pending --take--> attempt: BEGIN, each in a savepoint, COMMIT --> each caller's answer
//	                                    |  the store failed
//	                                    v
//	                                 attempt again, one by one
type writer struct {
	path     string
	connect  func(context.Context) (*store, error)
	report   func(*FaultError) // told after each attempt: nil if it went well
	clock    engine.Clock
	patience time.Duration

	mu      sync.Mutex
	pending []*write
	closed  bool
	wake    chan struct{}
	done    chan struct{}

	store *store // the loop's own
}

const (
	waiting int32 = iota
	begun
	dropped
)

// write is one caller's part of a transaction. run may be called again where the
// first attempt was rolled back.
type write struct {
	run   func(context.Context, *store) error
	state atomic.Int32
	done  chan error
}

func newWriter(w *writer) *writer {
	w.wake, w.done = make(chan struct{}, 1), make(chan struct{})
	if w.patience == 0 {
		w.patience = patience
	}
	go w.loop()
	return w
}

// do has run carried out in a transaction, and returns once that is on the disk.
// run must not touch what its caller reads, unless do returned nil.
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
	if wr.state.CompareAndSwap(waiting, dropped) {
		return fmt.Errorf("not written: %w", context.Cause(ctx))
	}
	late, stop := w.clock.Timer(w.patience)
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
	w.nudge()
	return true
}

func (w *writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// close takes no more writes, carries out those that wait, and ends the loop.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	w.nudge()
	w.mu.Unlock()
	<-w.done
	if w.store == nil {
		return nil
	}
	// A checkpoint that fails loses nothing: the log is read at the next start.
	err := w.store.exec(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`)
	return errors.Join(err, w.store.close())
}

func (w *writer) loop() {
	defer close(w.done)
	for {
		batch := w.take()
		if batch == nil {
			return
		}
		w.carryOut(batch)
	}
}

// take waits for writes, and returns nil once the writer is closed and drained.
func (w *writer) take() []*write {
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

func (w *writer) carryOut(batch []*write) {
	live := batch[:0]
	for _, wr := range batch {
		if wr.state.CompareAndSwap(waiting, begun) {
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
	default: // one huge write on a disk that is nearly full must not take the others with it
		for _, wr := range live {
			if errs, failed := w.attempt([]*write{wr}); failed != nil {
				wr.done <- failed
			} else {
				wr.done <- errs[0]
			}
		}
	}
}

// attempt carries out a batch in one transaction. The errors are each write's own;
// the fault is the store's, and means that none was written.
func (w *writer) attempt(batch []*write) ([]error, error) {
	ctx := context.Background() // an interrupted transaction would take its neighbours with it
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
	if err := w.store.here(); err != nil {
		return nil, err
	}
	return w.store.transact(ctx, batch)
}

// recover puts the store into a state in which the next write can go well.
func (w *writer) recover(ctx context.Context, err error) *FaultError {
	failed := fault(w.path, err)
	if failed == nil {
		failed = &FaultError{w.path, ErrIO, err}
	}
	if w.store == nil {
		return failed
	}
	if errors.Is(failed.Kind, ErrFull) {
		// Moves the log into the file, so that the next write reuses the log's room.
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
		if err != nil { // SQLite may have rolled back by itself
			_, _ = s.conn.ExecContext(ctx, `ROLLBACK`)
			s.boxes.rewind(0)
			return
		}
		s.boxes.keep()
	}()
	if len(batch) == 1 { // needs no savepoint
		if own := batch[0].run(ctx, s); own != nil {
			if f := fault(s.path, own); f != nil {
				return nil, f
			}
			s.boxes.rewind(0)
			return []error{own}, s.exec(ctx, `ROLLBACK`)
		}
		return []error{nil}, s.exec(ctx, `COMMIT`)
	}
	errs = make([]error, len(batch))
	for i, wr := range batch {
		own, err := s.separately(ctx, wr)
		if err != nil {
			return nil, err
		}
		errs[i] = own
	}
	return errs, s.exec(ctx, `COMMIT`)
}

// separately runs one write in a savepoint. own is the write's error, and undoes
// only its part; err is the store's.
func (s *store) separately(ctx context.Context, wr *write) (own, err error) {
	if err := s.exec(ctx, `SAVEPOINT one`); err != nil {
		return nil, err
	}
	mark := s.boxes.mark()
	if own = wr.run(ctx, s); own != nil {
		if f := fault(s.path, own); f != nil {
			return nil, f
		}
		if err := s.exec(ctx, `ROLLBACK TO one`); err != nil {
			return nil, err
		}
		s.boxes.rewind(mark)
	}
	return own, s.exec(ctx, `RELEASE one`)
}
