package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// given is a journal that fails with an error.
type given struct {
	engine.Journal
	err error
}

func (g given) Approval(context.Context, string) (engine.Approval, error) {
	return engine.Approval{}, g.err
}
func (g given) Approvals(context.Context, string, time.Time) ([]engine.Approval, error) {
	return nil, g.err
}
func (g given) Messages(context.Context, string, int) ([]engine.Message, error) { return nil, g.err }
func (g given) Depths(context.Context) (engine.QueueDepths, error) {
	return engine.QueueDepths{}, g.err
}
func (g given) Redeliver(context.Context, []string) ([]string, error) { return nil, g.err }

// A leader that was just deposed sends callers to the next one, as a standby does.
func TestALeaderThatWasDeposedSendsToTheNext(t *testing.T) {
	for _, cause := range []error{apiclient.ErrDeposed, ledger.ErrClosed} {
		s := &App{lead: &leadership.State{}}
		s.lead.Lead(loop.New(loop.Config{Journal: given{err: fmt.Errorf("asked: %w", cause)}}))
		_, err := s.Approvals(t.Context(), "", time.Time{})
		require.ErrorIs(t, err, ErrStandsBy)
		_, err = s.Decide(t.Context(), "id", true, "ada", "")
		require.ErrorIs(t, err, ErrStandsBy)
		_, err = s.Messages(t.Context(), "", 1)
		require.ErrorIs(t, err, ErrStandsBy)
		_, _, err = s.Waiting(t.Context())
		require.ErrorIs(t, err, ErrStandsBy)
		_, err = s.Redeliver(t.Context(), []string{"id"})
		require.ErrorIs(t, err, ErrStandsBy)
	}
	s := &App{lead: &leadership.State{}}
	s.lead.Lead(loop.New(loop.Config{Journal: given{err: engine.ErrNoApproval}}))
	_, err := s.Decide(t.Context(), "id", true, "ada", "")
	require.NotErrorIs(t, err, ErrStandsBy)
	require.ErrorIs(t, err, engine.ErrNoApproval)
}
