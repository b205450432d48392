package policy

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// StoreOptions are how a Store judges and tells what it does.
type StoreOptions struct {
	Options
	// Judge tries each candidate first, in a child process; nil has this process try it.
	Judge *Judge
	// Trial is what the judge holds a candidate against besides its own tests; nil is nothing.
	Trial func(context.Context) Trial
	// Validate is asked last, with a candidate that is fit otherwise; its error
	// refuses it. Nil accepts all.
	Validate func(*Revision) error
	// Swapped is told when another revision went live; nil is not.
	Swapped func()
	// Clock tells the times in Status, and when to look for changes that no event
	// announced; nil is the machine's.
	Clock engine.Clock
	// Log is told of each swap and each refusal; nil is silent.
	Log hclog.Logger
}

// Status is how the policies stand.
type Status struct {
	Revision string    // "" before the first success
	Loaded   time.Time // when the live revision became so
	Tried    time.Time // the end of the last attempt
	// Trying is since when an attempt is under way; zero where none is.
	Trying time.Time
	// Err is why the last attempt failed, nil where it did not. It is of type
	// Mistakes, where the content is at fault.
	Err       error
	Successes int // attempts that ended well, unchanged content included
	Failures  int
}

// Store holds the live revision.
//
//	read -> child: compile, inspect, test, ask about documents -> compile -> prepare -> validate -> swap
//	  |                          |                                   |         |           |
//	  +--------------------------+-----------------------------------+---------+-----------+--> the old one stays, Status says why
type Store struct {
	read Reader
	opts StoreOptions
	live atomic.Pointer[Revision]

	loading sync.Mutex // one attempt at a time
	tried   string     // what the last attempt was at
	mu      sync.Mutex // guards what is below
	status  Status
	trying  string // what the attempt under way is at
}

var _ engine.Policies = (*Store)(nil)

// NewStore makes a store without a live revision; call Load.
func NewStore(read Reader, opts StoreOptions) *Store {
	if opts.Clock == nil {
		opts.Clock = engine.WallClock{}
	}
	if opts.Log == nil {
		opts.Log = hclog.NewNullLogger()
	}
	return &Store{read: read, opts: opts}
}

// Pin returns the live revision; before the first successful Load, one without
// any strategies.
func (s *Store) Pin() engine.Revision { return s.Live() }

// Live is Pin with this package's type.
func (s *Store) Live() *Revision {
	if r := s.live.Load(); r != nil {
		return r
	}
	none := newRevision(&build{opts: s.opts.withDefaults()})
	none.id = ""
	return none
}

// Status tells how the policies stand.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Load reads the policies and makes them live if they are fit. On any failure
// the old revision stays.
func (s *Store) Load(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	src, err := s.read()
	if err != nil {
		s.tried = ""
		return s.settle(nil, err)
	}
	return s.attempt(ctx, src)
}

// LoadInstead makes policies live though others are wanted, which were refused: the
// status has that refusal until they are taken.
func (s *Store) LoadInstead(ctx context.Context, src Source, refused error) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	if err := s.attempt(ctx, src); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = "" // what is wanted is tried again
	s.status.Err = refused
	s.status.Failures++
	return nil
}

// reload is Load, for content that was not tried yet.
func (s *Store) reload(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	src, err := s.read()
	switch {
	case err != nil && s.tried == err.Error():
		return nil // said already
	case err != nil:
		s.tried = err.Error()
		return s.settle(nil, err)
	case s.tried == src.attempt():
		return nil
	}
	return s.attempt(ctx, src)
}

// attempt is called with loading held.
func (s *Store) attempt(ctx context.Context, src Source) error {
	s.tried = src.attempt()
	s.begin(s.tried)
	if live := s.live.Load(); live != nil && live.source.attempt() == s.tried {
		return s.settle(live, s.accept(live)) // taken back, or never changed
	}
	rev, err := s.candidate(ctx, src)
	if err == nil {
		err = s.accept(rev)
	}
	if ctx.Err() != nil {
		s.tried = "" // not judged to the end
		return s.giveUp(ctx.Err())
	}
	return s.settle(rev, err)
}

// candidate tries policies, and makes them ready.
func (s *Store) candidate(ctx context.Context, src Source) (*Revision, error) {
	if s.opts.Judge == nil {
		return Candidate(ctx, src, s.opts.Options)
	}
	var t Trial
	if s.opts.Trial != nil {
		t = s.opts.Trial(ctx)
	}
	if err := s.opts.Judge.Try(ctx, src, t); err != nil {
		return nil, err
	}
	return Ready(ctx, src, s.opts.Options)
}

func (s *Store) begin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trying, s.status.Trying = id, s.opts.Clock.Now()
}

// giveUp ends an attempt that was cut off: newer content is there, or the process stops.
func (s *Store) giveUp(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trying, s.status.Trying = "", time.Time{}
	return fmt.Errorf("load policies: %w", err)
}

// superseded reports whether other content is there than what is being tried.
func (s *Store) superseded() bool {
	src, err := s.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trying != "" && (err != nil || src.attempt() != s.trying)
}

// accept asks those who would use a revision.
func (s *Store) accept(rev *Revision) error {
	if s.opts.Validate != nil {
		return s.opts.Validate(rev)
	}
	return nil
}

// settle swaps or keeps, and notes which.
func (s *Store) settle(rev *Revision, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Clock.Now()
	failed := s.status.Err != nil
	s.status.Tried, s.status.Err = now, err
	s.trying, s.status.Trying = "", time.Time{}
	if err != nil {
		s.status.Failures++
		if s.live.Load() == nil {
			return fmt.Errorf("load policies: %w", err) // the caller can't start without
		}
		s.opts.Log.Error("policies refused, the old ones stay", "revision", s.status.Revision, "error", err)
		return fmt.Errorf("load policies: %w", err)
	}
	s.status.Successes++
	if s.live.Load() == rev {
		if failed {
			s.opts.Log.Info("policies are again what they were", "revision", rev.id)
		}
		return nil
	}
	s.live.Store(rev)
	s.status.Revision, s.status.Loaded = rev.id, now
	s.opts.Log.Info("policies live", "revision", rev.id, "strategies", len(rev.strategies), "guards", ListGuards(rev.BoundGuards()))
	for _, m := range rev.idle {
		s.opts.Log.Warn("of the policies, something does nothing", "revision", rev.id, "error", m.String())
	}
	if s.opts.Swapped != nil {
		s.opts.Swapped()
	}
	return nil
}

// Poll loads the policies anew from a bundle behind a URL whenever it has changed,
// until the context ends; the caller waits for it to return. The store must have been
// made with the remote's Read.
func (s *Store) Poll(ctx context.Context, r *Remote) {
	for engine.Sleep(ctx, s.opts.Clock, r.pause()) {
		// Read has the error, for the store to log and to keep in its status.
		_ = r.Fetch(ctx)
		if ctx.Err() == nil {
			_ = s.reload(ctx)
		}
	}
}

// Info is Status, as the engine records it with each firing.
func (s *Store) Info(now time.Time) engine.PolicyInfo {
	st := s.Status()
	return engine.PolicyInfo{Age: now.Sub(st.Loaded), Refused: st.Err != nil, Successes: st.Successes, Failures: st.Failures}
}
