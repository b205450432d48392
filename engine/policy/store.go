package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// StoreOptions configure a Store. Every field may be nil.
type StoreOptions struct {
	Options
	// Judge checks each candidate in a child process; without it, this process does.
	Judge *Judge
	// Trial returns the agents that the judge checks a candidate against.
	Trial func(context.Context) Trial
	// Validate is called with a candidate. An error refuses it. One that is refused for
	// another reason, and compiles, is passed too, so that the refusal names every mistake.
	Validate func(*Revision) error
	// OnSwap is called after another revision became live.
	OnSwap func()
	// Clock provides the times in Status and the polling interval.
	Clock engine.Clock
	Log   hclog.Logger
}

// Status is the status of a Store.
type Status struct {
	Revision    string    // "" before the first success
	Loaded      time.Time // when the live revision became live
	LastAttempt time.Time // the end of the last attempt
	// AttemptStarted is the start of the running attempt; zero if none is running.
	AttemptStarted time.Time
	// Err is the error of the last attempt; nil if it succeeded. It is of type Mistakes
	// if the policies are at fault.
	Err       error
	Successes int // including attempts with unchanged content
	Failures  int
}

// Store holds the live revision.
//
//	read -> child: compile, inspect, test, evaluate documents -> compile -> prepare -> validate -> swap
//	  |                          |                                  |         |           |
//	  +--------------------------+----------------------------------+---------+-----------+--> the live one stays, Status has the error
type Store struct {
	read source.Reader
	opts StoreOptions
	live atomic.Pointer[Revision]

	loadMu     sync.Mutex // serializes attempts
	lastTried  string     // the fingerprint or the error of the last attempt
	mu         sync.Mutex // guards what is below
	status     Status
	attempting string // the fingerprint of the running attempt
}

var _ engine.Policies = (*Store)(nil)

// NewStore returns a store without a live revision. Load loads the first one.
func NewStore(read source.Reader, opts StoreOptions) *Store {
	if opts.Clock == nil {
		opts.Clock = engine.WallClock{}
	}
	if opts.Log == nil {
		opts.Log = hclog.NewNullLogger()
	}
	return &Store{read: read, opts: opts}
}

// Pin returns the live revision, or an empty one before the first successful Load.
func (s *Store) Pin() engine.Revision { return s.Live() }

// Live is Pin with the concrete type.
func (s *Store) Live() *Revision {
	if r := s.live.Load(); r != nil {
		return r
	}
	none := newRevision(&build{opts: s.opts.withDefaults()})
	none.id = ""
	return none
}

// Status returns the current status.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Load reads the policies and makes them live if they are acceptable. On any failure
// the live revision stays.
func (s *Store) Load(ctx context.Context) error {
	s.loadMu.Lock()
	defer s.loadMu.Unlock()
	src, err := s.read()
	if err != nil {
		s.lastTried = ""
		return s.finish(nil, err)
	}
	return s.tryLoad(ctx, src)
}

// LoadFallback makes a stored source live in place of the configured policies, which
// were refused. The status keeps that error until the configured policies load.
func (s *Store) LoadFallback(ctx context.Context, src source.Source, refused error) error {
	s.loadMu.Lock()
	defer s.loadMu.Unlock()
	if err := s.tryLoad(ctx, src); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastTried = "" // try the configured policies again
	s.status.Err = refused
	s.status.Failures++
	return nil
}

// reload is Load, but does nothing if the content is the one that was tried last.
func (s *Store) reload(ctx context.Context) error {
	s.loadMu.Lock()
	defer s.loadMu.Unlock()
	src, err := s.read()
	switch {
	case err != nil && s.lastTried == err.Error():
		return nil // reported already
	case err != nil:
		s.lastTried = err.Error()
		return s.finish(nil, err)
	case s.lastTried == src.Fingerprint():
		return nil
	}
	return s.tryLoad(ctx, src)
}

// tryLoad is called with loadMu held.
func (s *Store) tryLoad(ctx context.Context, src source.Source) error {
	s.lastTried = src.Fingerprint()
	s.begin(s.lastTried)
	if live := s.live.Load(); live != nil && live.source.Fingerprint() == s.lastTried {
		return s.finish(live, s.validate(live)) // reverted or unchanged
	}
	rev, err := s.candidate(ctx, src)
	if err == nil {
		err = s.validate(rev)
	}
	if ctx.Err() != nil {
		s.lastTried = "" // not checked completely
		return s.abort(ctx.Err())
	}
	return s.finish(rev, err)
}

// candidate checks a source and returns its revision.
func (s *Store) candidate(ctx context.Context, src source.Source) (*Revision, error) {
	if s.opts.Judge == nil {
		rev, err := Candidate(ctx, src, s.opts.Options)
		if err != nil {
			return nil, s.withMismatches(ctx, src, err)
		}
		return rev, nil
	}
	var t Trial
	if s.opts.Trial != nil {
		t = s.opts.Trial(ctx)
	}
	compiled, err := s.opts.Judge.try(ctx, src, t)
	switch {
	case err != nil && compiled: // there, within limits: so it does here
		return nil, s.withMismatches(ctx, src, err)
	case err != nil:
		return nil, err
	}
	return CompilePrepared(ctx, src, s.opts.Options)
}

// withMismatches returns the refusal of a source, and before it what Validate finds: a misspelt
// signal makes a test fail too, which says less.
func (s *Store) withMismatches(ctx context.Context, src source.Source, refused error) error {
	var mistakes mistake.Mistakes
	if !errors.As(refused, &mistakes) || s.opts.Validate == nil {
		return refused
	}
	draft, err := Draft(ctx, src)
	if err != nil {
		return refused
	}
	if err := s.opts.Validate(draft); err != nil {
		return append(mistakesOf(err), mistakes...)
	}
	return refused
}

// mistakesOf returns the mistakes that an error lists, or one for each of its lines.
func mistakesOf(err error) (out mistake.Mistakes) {
	if errors.As(err, &out) {
		return slices.Clone(out)
	}
	for line := range strings.Lines(err.Error()) {
		out = append(out, mistake.Mistake{Message: strings.TrimSuffix(line, "\n")})
	}
	return out
}

func (s *Store) begin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempting, s.status.AttemptStarted = id, s.opts.Clock.Now()
}

// abort ends an attempt that was cancelled, by newer content or by a shutdown.
func (s *Store) abort(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempting, s.status.AttemptStarted = "", time.Time{}
	return fmt.Errorf("load policies: %w", err)
}

// superseded reports whether the content has changed since the running attempt began.
func (s *Store) superseded() bool {
	src, err := s.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempting != "" && (err != nil || src.Fingerprint() != s.attempting)
}

// validate calls StoreOptions.Validate.
func (s *Store) validate(rev *Revision) error {
	if s.opts.Validate != nil {
		return s.opts.Validate(rev)
	}
	return nil
}

// finish ends an attempt: it swaps the live revision if there is no error, and
// updates the status.
func (s *Store) finish(rev *Revision, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Clock.Now()
	failed := s.status.Err != nil
	s.status.LastAttempt, s.status.Err = now, err
	s.attempting, s.status.AttemptStarted = "", time.Time{}
	if err != nil {
		s.status.Failures++
		if s.live.Load() == nil {
			return fmt.Errorf("load policies: %w", err) // the caller can't start without one
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
	s.opts.Log.Info("policies live", "revision", rev.id, "strategies", len(rev.strategies), "guards", FormatGuards(rev.GuardInfos()))
	for _, m := range rev.unused {
		s.opts.Log.Warn("of the policies, something does nothing", "revision", rev.id, "error", m.Error())
	}
	if s.opts.OnSwap != nil {
		s.opts.OnSwap()
	}
	return nil
}

// Poll fetches a remote bundle at its interval and reloads it when it has changed,
// until the context ends. It blocks. The store must read from the remote's Read.
func (s *Store) Poll(ctx context.Context, r *source.Remote) {
	for engine.Sleep(ctx, s.opts.Clock, r.NextInterval()) {
		// Read returns the error too, and the store logs it.
		_ = r.Fetch(ctx)
		if ctx.Err() == nil {
			_ = s.reload(ctx)
		}
	}
}

// Info returns the status that the engine records with each firing.
func (s *Store) Info(now time.Time) engine.PolicyInfo {
	st := s.Status()
	return engine.PolicyInfo{Age: now.Sub(st.Loaded), Refused: st.Err != nil, Successes: st.Successes, Failures: st.Failures}
}
