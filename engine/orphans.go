package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A question to a person outlives its agent: the agent was deleted, perhaps while no
// process ran, and nobody would act upon an answer. So each time the agents are known
// anew, the questions of those that are not among them lapse, each with a firing of its
// own, which says so to whoever reads the agent's decisions.

const (
	// lapseDeadline bounds one try to have them lapse, and lapseAgain is when it is tried
	// again after the journal failed.
	lapseDeadline = 5 * time.Second
	lapseAgain    = 5 * time.Second
)

// lapseOrphans has the questions of agents that are gone lapse, now or as soon as the
// journal can be read and written. The lock of Apply is held.
func (h *Host) lapseOrphans() {
	err := h.lapseOnce()
	if err == nil || h.lapsing {
		return
	}
	h.lapsing = true
	h.Log.Error("the questions of agents that are gone can't lapse yet", "error", err)
	h.cutting.Go(func() {
		for {
			again, giveBack := h.Clock.Timer(lapseAgain)
			select {
			case <-again:
			case <-h.closed:
				giveBack()
				return
			}
			if !h.applying.TryLock() { // an Apply tries it itself, and Close waits for this
				continue
			}
			err := h.lapseOnce()
			if err == nil {
				h.lapsing = false
			}
			h.applying.Unlock()
			if err == nil {
				return
			}
		}
	})
}

// lapseOnce tries it. The lock of Apply is held, so that no agent begins meanwhile.
func (h *Host) lapseOnce() error {
	ctx, cancel := context.WithTimeout(context.Background(), lapseDeadline)
	defer cancel()
	list, err := h.Journal.Approvals(ctx, "", h.Clock.Now())
	if err != nil {
		return fmt.Errorf("read the approvals: %w", err)
	}
	wanted := *h.wanted.Load()
	var errs []error
	for _, p := range list {
		if p.State.Ended() || wanted[p.Agent] || h.Declared != nil && h.Declared(p.Agent) {
			continue
		}
		if err := h.lapseOrphan(ctx, p); err != nil && !errors.Is(err, ErrApprovalState) { // somebody answered just now: the next time
			errs = append(errs, fmt.Errorf("approval %s of %s: %w", p.ID, p.Agent, err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) lapseOrphan(ctx context.Context, p Approval) error {
	now := h.Clock.Now()
	ended := p
	ended.State, ended.Ended, ended.Detail = ApprovalLapsed, now, "its agent, "+p.Agent+", is not there any more"
	if !now.Before(p.Expires) {
		ended = p.expired(p.Expires).Approval
	}
	return h.endQuestion(ctx, p, ended, Enforce)
}
