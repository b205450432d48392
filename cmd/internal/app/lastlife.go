package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// What the journal keeps from one process to the next.
const (
	keptLife       = "life"       // lives while a process runs on the journal, ended after an end in order
	keptOverrun    = "overrun"    // the policy.Overrun that ended the process
	keptQuarantine = "quarantine" // all policy.Quarantined

	lives, ended = "lives", "ended"

	keepWithin = 2 * time.Second
	// quarantineMost is how many are kept; the oldest go first.
	quarantineMost = 200
)

// overran is told of an evaluation that nothing in this process can stop. It goes into
// the journal, and the process has to begin anew: see Overran.
func (s *System) overran(o policy.Overrun) {
	s.overrunOnce.Do(func() {
		s.opts.Log.Error("an evaluation went on after its deadline, and can't be stopped: this process begins anew, and asks who was asked no more",
			"asked", fmt.Sprint(o.Suspects), "revision", o.Revision, "agent", o.Agent, "target", o.Target)
		raw, err := json.Marshal(o)
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), keepWithin)
			defer cancel()
			err = s.Journal.Keep(ctx, keptOverrun, raw)
		}
		if err != nil {
			s.opts.Log.Error("the journal does not take that; the next life tries all strategies in a child process first", "error", err)
		}
		close(s.overrun)
	})
}

// Overran is closed when the process has to begin anew: an evaluation runs on, and
// nothing but the end of the process ends it.
func (s *System) Overran() <-chan struct{} { return s.overrun }

// Quarantine lists who is not asked of the live policies.
func (s *System) Quarantine() []policy.Quarantined {
	return s.quarantine.Of(s.Policies.Live().ID())
}

// takeOver reads how the last process on this journal ended, before any agent runs.
// After an end that was not in order, strategies are tried in a child process first.
func (s *System) takeOver(ctx context.Context) error {
	if s.policyJudge == nil {
		return nil
	}
	life, lifeErr := s.Journal.Kept(ctx, keptLife)
	last, overrunErr := s.Journal.Kept(ctx, keptOverrun)
	raw, quarantineErr := s.Journal.Kept(ctx, keptQuarantine)
	if err := errors.Join(lifeErr, overrunErr, quarantineErr); err != nil {
		s.unclean = true
		s.opts.Log.Warn("how the last process ended can't be read; strategies are tried in a child process first", "error", err)
		return nil
	}
	var known []policy.Quarantined
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &known); err != nil {
			return fmt.Errorf("read the quarantine that the journal keeps: %w", err)
		}
	}
	s.quarantine.Add(known...)
	for _, q := range s.Quarantine() {
		s.opts.Log.Warn("in quarantine: it is not asked in this revision", "kind", q.Kind, "name", q.Name, "revision", q.Revision, "target", q.Target, "why", q.Why, "place", q.Place)
	}
	s.unclean = string(life) == lives || len(last) > 0
	if len(last) > 0 {
		if err := s.settleOverrun(ctx, last); err != nil {
			return err
		}
	}
	if err := s.settleAsked(ctx); err != nil {
		return err
	}
	if s.unclean {
		s.opts.Log.Warn("the last process did not end in order; strategies are tried in a child process before their first turn")
	}
	s.keep(keptLife, []byte(lives))
	return nil
}

// settleOverrun finds out who ended the last process, and isolates it.
func (s *System) settleOverrun(ctx context.Context, raw []byte) error {
	var o policy.Overrun
	if err := json.Unmarshal(raw, &o); err != nil {
		return fmt.Errorf("read the overrun that the journal keeps: %w", err)
	}
	if rev := s.Policies.Live(); o.Revision == rev.ID() {
		found, err := s.policyJudge.RehearseSuspects(ctx, rev, o.Suspects, o.Input)
		if ctx.Err() != nil {
			return ctx.Err() // the next start finds out
		}
		if err != nil || len(found) == 0 { // then it may be any of them
			for _, m := range o.Suspects {
				rev.Isolate(policy.Quarantined{Member: m, Revision: o.Revision, At: o.At, Agent: o.Agent, Target: o.Target, Why: "was asked, with others perhaps, when the answer took longer than its deadline and could not be stopped"})
			}
			s.opts.Log.Error("put into quarantine: all that were asked together, for which of them it was did not show again", "asked", fmt.Sprint(o.Suspects), "revision", o.Revision, "target", o.Target)
		}
		if err := s.keepQuarantine(ctx); err != nil {
			return err
		}
	}
	return s.Journal.Keep(ctx, keptOverrun, nil)
}

// rehearse tries strategies and the guards on documents in a child process.
func (s *System) rehearse(ctx context.Context, rev engine.Revision, strategies []string, documents []json.RawMessage) error {
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
	found, err := s.policyJudge.Rehearse(ctx, live, members, documents)
	if len(found) == 0 {
		return err
	}
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepWithin) // a stop must not lose it
	defer cancel()
	return errors.Join(err, s.keepQuarantine(keeping))
}

func (s *System) keepQuarantine(ctx context.Context) error {
	all := s.quarantine.All()
	slices.SortStableFunc(all, func(a, b policy.Quarantined) int { return b.At.Compare(a.At) })
	raw, err := json.Marshal(all[:min(len(all), quarantineMost)])
	if err != nil {
		return fmt.Errorf("keep the quarantine: %w", err)
	}
	return s.Journal.Keep(ctx, keptQuarantine, raw)
}

// keep writes to the journal what a failure of only makes the next start more careful.
func (s *System) keep(name string, value []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), keepWithin)
	defer cancel()
	if err := s.Journal.Keep(ctx, name, value); err != nil {
		s.opts.Log.Warn("the next start tries strategies in a child process first", "error", err)
	}
}
