package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// checkDeadline bounds the reading of an approval after a write whose result is unknown.
const checkDeadline = 10 * time.Second

// Store is the part of the journal that Service depends on: the end of an approval that an
// event asked for is recorded as a firing of its own, as no strategy proposes it again.
type Store interface {
	engine.TurnRecorder
	engine.ApprovalStore
}

// Service answers people about approvals.
type Service struct {
	Store    Store
	Clock    engine.Clock
	Observer engine.Observer
	// Decided passes a person's decision to the agent, if it runs.
	Decided func(engine.Approval)
}

// List returns the approvals of an agent ("" means all) that have not ended, and those that
// ended since a time. Nobody ends those of an agent that does not run because its spec is
// wrong: they are returned as expired once their time is over.
func (s *Service) List(ctx context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	list, err := s.Store.Approvals(ctx, agent, since)
	now := s.Clock.Now()
	for i, p := range list {
		if !p.State.Ended() && !now.Before(p.Expires) {
			list[i] = p.Expire(p.Expires).Approval
		}
	}
	return slices.DeleteFunc(list, func(p engine.Approval) bool { return p.State.Ended() && p.Ended.Before(since) }), err
}

// Decide records a person's decision, and passes it to the agent.
func (s *Service) Decide(ctx context.Context, id string, approve bool, by, why string) (engine.Approval, error) {
	p, err := s.Store.Approval(ctx, id)
	if err != nil {
		return p, err
	}
	now := s.Clock.Now()
	switch {
	case p.State != engine.ApprovalWaiting && p.By != "":
		return p, fmt.Errorf("%s is %s, answered by %s at %s: %w", id, p.State, p.By, p.Decided.UTC().Format(time.RFC3339), engine.ErrApprovalState)
	case p.State != engine.ApprovalWaiting:
		return p, fmt.Errorf("%s is %s: %w", id, p.State, engine.ErrApprovalState)
	case !now.Before(p.Expires):
		return p, fmt.Errorf("%s expired at %s: %w", id, p.Expires.UTC().Format(time.RFC3339), engine.ErrApprovalState)
	}
	p.State, p.By, p.Why, p.Decided = engine.ApprovalApproved, engine.Clip(by), engine.Clip(why), now
	if !approve {
		p.State, p.Ended = engine.ApprovalDenied, now
	}
	change := engine.ApprovalChange{Approval: p, From: engine.ApprovalWaiting}
	if !approve && p.ForEvent() {
		err = s.End(ctx, change, engine.Enforce)
	} else {
		err = s.Store.SaveApproval(ctx, change)
	}
	if err != nil && !s.saved(ctx, &p) {
		return p, err
	}
	s.Decided(p)
	return p, err
}

// saved reports whether a decision is stored although the write returned an error, such as
// that its caller did not wait for its end.
func (s *Service) saved(ctx context.Context, p *engine.Approval) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkDeadline)
	defer cancel()
	stored, err := s.Store.Approval(ctx, p.ID)
	return err == nil && stored.State == p.State && stored.By == p.By && stored.Decided.Equal(p.Decided)
}

// End writes a change that ends an approval, with a firing of its own that says so.
func (s *Service) End(ctx context.Context, c engine.ApprovalChange, mode engine.Mode) error {
	id, err := s.Store.NextFiring(ctx)
	if err != nil {
		return err
	}
	p, before := c.Approval, c.Approval
	before.State = c.From
	d := before.Refusal(p.Detail)
	if p.State == engine.ApprovalDenied {
		d.Approval = p.Answer()
		d.Detail = d.Approval.String()
	}
	rec := engine.FiringRecord{
		ID: id, Agent: p.Agent, Mode: mode, At: s.Clock.Now(), Trigger: engine.TriggerInfo{Name: p.Trigger.Name, Kind: p.Trigger.Kind, Approval: p.ID},
		Approvals: []engine.ApprovalChange{c}, Decisions: []engine.Decision{d},
	}
	if err := s.Store.RecordFiring(ctx, rec); err != nil {
		return err
	}
	s.Observer.Fired(rec)
	return nil
}

// LapseOrphans ends the approvals of agents that do not exist any more: nobody would act on
// an answer. Each end is a firing of its own, so that the agent's decisions have it.
func (s *Service) LapseOrphans(ctx context.Context, exists func(agent string) bool) error {
	list, err := s.Store.Approvals(ctx, "", s.Clock.Now())
	if err != nil {
		return fmt.Errorf("read the approvals: %w", err)
	}
	var errs []error
	for _, p := range list {
		if p.State.Ended() || exists(p.Agent) {
			continue
		}
		now := s.Clock.Now()
		change := p.Lapse(now, "its agent, "+p.Agent+", is not there any more")
		change.Approval.Held = p.Held
		if !now.Before(p.Expires) {
			change = p.Expire(p.Expires)
		}
		if err := s.End(ctx, change, engine.Enforce); err != nil && !errors.Is(err, engine.ErrApprovalState) { // a person decided first: the next call sees it
			errs = append(errs, fmt.Errorf("approval %s of %s: %w", p.ID, p.Agent, err))
		}
	}
	return errors.Join(errs...)
}
