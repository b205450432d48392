package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// ErrStandsBy says that the agents run on another replica.
var ErrStandsBy = errors.New("this replica stands by, and another one leads: ask that one")

// leading is the host, where the agents run here.
func (s *System) leading() (*loop.Manager, error) {
	if h := s.host.Load(); h != nil {
		return h, nil
	}
	return nil, ErrStandsBy
}

// deposed has a leader that was deposed just now, and does not know it yet, answer as one
// that stands by.
func deposed(err error) error {
	if errors.Is(err, apiclient.ErrDeposed) || errors.Is(err, ledger.ErrClosed) {
		return fmt.Errorf("%w (%w)", ErrStandsBy, err)
	}
	return err
}

// Claims lists what agents of this process hold on every target.
func (s *System) Claims() ([]engine.HeldClaim, error) {
	h, err := s.leading()
	if err != nil {
		return nil, err
	}
	return h.Claims(), nil
}

// AllClaims is Claims, and what agents of the peers hold after them.
func (s *System) AllClaims() ([]engine.HeldClaim, error) {
	own, err := s.Claims()
	if err != nil {
		return nil, err
	}
	return append(own, s.neighbours.list()...), nil
}

// Approvals lists the questions to persons that have not ended, and those that ended
// since a time.
func (s *System) Approvals(ctx context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	h, err := s.leading()
	if err != nil {
		return nil, err
	}
	list, err := h.Approvals.List(ctx, agent, since)
	return list, deposed(err)
}

// Decide writes what a person said.
func (s *System) Decide(ctx context.Context, id string, approve bool, by, why string) (engine.Approval, error) {
	h, err := s.leading()
	if err != nil {
		return engine.Approval{}, err
	}
	p, err := h.Approvals.Decide(ctx, id, approve, by, why)
	return p, deposed(err)
}

// Letters lists the events that wait, and the dead ones.
func (s *System) Messages(ctx context.Context, agent string, limit int) ([]engine.Message, error) {
	h, err := s.leading()
	if err != nil {
		return nil, err
	}
	letters, err := h.Router.Messages(ctx, agent, limit)
	return letters, deposed(err)
}

// Waiting counts the events that wait, the dead ones, and the questions to persons.
func (s *System) Waiting(ctx context.Context) (boxes engine.QueueDepths, approvals int, err error) {
	h, err := s.leading()
	if err != nil {
		return boxes, 0, err
	}
	if boxes, err = h.Journal.Depths(ctx); err == nil {
		approvals, err = h.Journal.ApprovalsWaiting(ctx, h.Clock.Now())
	}
	return boxes, approvals, deposed(err)
}

// Resend has dead letters wait again, and returns those that it found.
func (s *System) Redeliver(ctx context.Context, ids []string) ([]string, error) {
	h, err := s.leading()
	if err != nil {
		return nil, err
	}
	found, err := h.Router.Redeliver(ctx, ids)
	return found, deposed(err)
}

// Receive takes over events from outside.
func (s *System) Receive(ctx context.Context, from engine.Sender, events []engine.Event) ([]engine.Receipt, error) {
	h, err := s.leading()
	if err != nil {
		return nil, engine.Retry(err)
	}
	return h.Router.Receive(ctx, from, events)
}
