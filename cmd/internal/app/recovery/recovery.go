// Package recovery finds out how the last process on a data folder ended, and keeps what
// ended it from ending this one: strategies and guards that did not stop are put into
// quarantine, and after an unclean end each strategy is tried in a child process before
// its first turn. It restarts nothing itself. Start reading at Recovery.
package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// The keys under which the journal keeps what one process leaves to the next.
const (
	keyState      = "life"       // running while a process uses the journal, ended after a clean end
	keyOverrun    = "overrun"    // the policy.Overrun that ended the process
	keyQuarantine = "quarantine" // all policy.Quarantined

	running, ended = "lives", "ended"

	writeTimeout = 2 * time.Second
	// maxQuarantined bounds those that are kept; the oldest are dropped first.
	maxQuarantined = 200
)

// Journal keeps values from one process to the next.
type Journal interface {
	Keep(ctx context.Context, name string, value []byte) error
	Kept(ctx context.Context, name string) ([]byte, error)
}

// Recovery knows how the last process ended and who is in quarantine. It is made before
// the policies; Begin gives it the journal.
type Recovery struct {
	judge      *policy.Judge // nil where this process judges policies itself: nothing is recovered then
	quarantine *policy.Quarantine
	dir        string // of the evaluations in flight
	log        hclog.Logger

	journal     Journal
	unclean     bool // the last process did not end cleanly
	serial      atomic.Int64
	overrunOnce sync.Once
	overrun     chan struct{}
}

// New makes a Recovery. command are the arguments with which this program judges policies
// in a child process; nil has this process judge them. data is the data folder.
func New(command []string, data string, log hclog.Logger) *Recovery {
	r := &Recovery{quarantine: policy.NewQuarantine(nil), dir: inFlightDir(data), log: log, overrun: make(chan struct{})}
	if command != nil {
		r.judge = policy.NewJudge(policy.JudgeOptions{Options: policy.Options{Quarantine: r.quarantine}, Command: command, Log: log.Named("policy")})
	}
	return r
}

// Judge returns what tries policies in a child process; nil where this process does.
func (r *Recovery) Judge() *policy.Judge { return r.judge }

// PolicyOptions has revisions respect the quarantine and report evaluations that take long.
func (r *Recovery) PolicyOptions() policy.Options {
	o := policy.Options{Quarantine: r.quarantine}
	if r.judge != nil {
		o.OnOverrun, o.OnSlow = r.overran, r.recordInFlight
	}
	return o
}

// OnOverrun is closed when the process has to restart: an evaluation goes on after its
// deadline, and only the end of the process ends it.
func (r *Recovery) OnOverrun() <-chan struct{} { return r.overrun }

// Quarantined lists the strategies and guards of a revision that are not evaluated.
func (r *Recovery) Quarantined(revision string) []policy.Quarantined {
	return r.quarantine.Of(revision)
}

// overran records an evaluation that this process can't stop, and closes OnOverrun.
func (r *Recovery) overran(o policy.Overrun) {
	r.overrunOnce.Do(func() {
		r.log.Error("an evaluation went on after its deadline, and can't be stopped: this process begins anew, and asks who was asked no more",
			"asked", fmt.Sprint(o.Suspects), "revision", o.Revision, "agent", o.Agent, "target", o.Target)
		raw, err := json.Marshal(o)
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
			defer cancel()
			err = r.journal.Keep(ctx, keyOverrun, raw)
		}
		if err != nil {
			r.log.Error("the journal does not take that; the next life tries all strategies in a child process first", "error", err)
		}
		close(r.overrun)
	})
}

// Begin reads how the last process on this journal ended, before any agent runs, and
// isolates what ended it. live are the policies that the agents will run on.
func (r *Recovery) Begin(ctx context.Context, journal Journal, live *policy.Revision) error {
	r.journal = journal
	if r.judge == nil {
		return nil
	}
	state, stateErr := journal.Kept(ctx, keyState)
	overrun, overrunErr := journal.Kept(ctx, keyOverrun)
	raw, quarantineErr := journal.Kept(ctx, keyQuarantine)
	if err := errors.Join(stateErr, overrunErr, quarantineErr); err != nil {
		r.unclean = true
		r.log.Warn("how the last process ended can't be read; strategies are tried in a child process first", "error", err)
		return nil
	}
	var known []policy.Quarantined
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &known); err != nil {
			return fmt.Errorf("read the quarantine that the journal keeps: %w", err)
		}
	}
	r.quarantine.Add(known...)
	for _, q := range r.Quarantined(live.ID()) {
		r.log.Warn("in quarantine: it is not asked in this revision", "kind", q.Kind, "name", q.Name, "revision", q.Revision, "target", q.Target, "why", q.Why, "place", q.Place)
	}
	r.unclean = string(state) == running || len(overrun) > 0
	if len(overrun) > 0 {
		if err := r.isolateOverrun(ctx, overrun, live); err != nil {
			return err
		}
	}
	if err := r.retryInFlight(ctx, live); err != nil {
		return err
	}
	if r.unclean {
		r.log.Warn("the last process did not end in order; strategies are tried in a child process before their first turn")
	}
	r.keepState(running)
	return nil
}

// Unclean reports whether the last process was killed or crashed.
func (r *Recovery) Unclean() bool { return r.unclean }

// End records that the process ended cleanly.
func (r *Recovery) End() {
	if r.judge != nil {
		r.keepState(ended)
	}
}

// isolateOverrun finds out which strategy or guard ended the last process, and isolates it.
func (r *Recovery) isolateOverrun(ctx context.Context, raw []byte, live *policy.Revision) error {
	var o policy.Overrun
	if err := json.Unmarshal(raw, &o); err != nil {
		return fmt.Errorf("read the overrun that the journal keeps: %w", err)
	}
	if o.Revision == live.ID() {
		found, err := r.judge.RehearseSuspects(ctx, live, o.Suspects, o.Input)
		if ctx.Err() != nil {
			return ctx.Err() // the next start finds out
		}
		if err != nil || len(found) == 0 { // then it may be any of them
			for _, m := range o.Suspects {
				live.Isolate(policy.Quarantined{Member: m, Revision: o.Revision, At: o.At, Agent: o.Agent, Target: o.Target, Why: "was asked, with others perhaps, when the answer took longer than its deadline and could not be stopped"})
			}
			r.log.Error("put into quarantine: all that were asked together, for which of them it was did not show again", "asked", fmt.Sprint(o.Suspects), "revision", o.Revision, "target", o.Target)
		}
		if err := r.keepQuarantine(ctx); err != nil {
			return err
		}
	}
	return r.journal.Keep(ctx, keyOverrun, nil)
}

// Rehearsal returns a function that tries strategies and the guards on documents in a
// child process, after an unclean end of the last process; otherwise nil.
func (r *Recovery) Rehearsal() func(context.Context, engine.Revision, []string, []json.RawMessage) error {
	if r.unclean {
		return r.rehearse
	}
	return nil
}

func (r *Recovery) rehearse(ctx context.Context, rev engine.Revision, strategies []string, documents []json.RawMessage) error {
	live, is := rev.(*policy.Revision)
	if !is {
		return nil
	}
	var members []policy.Member
	for _, name := range strategies {
		if live.Has(name) {
			members = append(members, policy.Member{Kind: policy.KindStrategy, Name: name})
		}
	}
	for _, name := range live.Guards() {
		members = append(members, policy.Member{Kind: policy.KindGuard, Name: name})
	}
	found, err := r.judge.Rehearse(ctx, live, members, documents)
	if len(found) == 0 {
		return err
	}
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout) // a stop must not lose it
	defer cancel()
	return errors.Join(err, r.keepQuarantine(keeping))
}

func (r *Recovery) keepQuarantine(ctx context.Context) error {
	all := r.quarantine.All()
	slices.SortStableFunc(all, func(a, b policy.Quarantined) int { return b.At.Compare(a.At) })
	raw, err := json.Marshal(all[:min(len(all), maxQuarantined)])
	if err != nil {
		return fmt.Errorf("keep the quarantine: %w", err)
	}
	return r.journal.Keep(ctx, keyQuarantine, raw)
}

// keepState only logs a failure: the next start is more careful then, and nothing is lost.
func (r *Recovery) keepState(state string) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := r.journal.Keep(ctx, keyState, []byte(state)); err != nil {
		r.log.Warn("the next start tries strategies in a child process first", "error", err)
	}
}
