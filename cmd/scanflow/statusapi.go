package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// health is how a running scanflow is.
type health string

const (
	healthy   health = "healthy"
	unhealthy health = "unhealthy" // it decides and acts, and something is wrong
	notWell   health = "not ready" // it does not decide, or does nothing
	standby   health = "standby"   // another replica leads, and this one can take over
)

// daemonStatus is the response of /v1/status.
type daemonStatus struct {
	Version string    `json:"version"`
	Now     time.Time `json:"now"`
	Health  health    `json:"health"`
	// NotReady says why nothing is done; Problems lists all other problems.
	NotReady  []string            `json:"not_ready"`
	Problems  []string            `json:"problems"`
	Policies  server.PolicyStatus `json:"policies"`
	Manifests string              `json:"manifests_error,omitempty"`
	Agents    []loop.AgentStatus  `json:"agents"`
	Waiting   waitingCounts       `json:"waiting"`
}

// waitingCounts counts what waits.
type waitingCounts struct {
	Approvals int `json:"approvals"`
	Inbox     int `json:"inbox"`
	Outbox    int `json:"outbox"`
	Dead      int `json:"dead"`
	Claims    int `json:"claims"`
	// Failed counts the acts that failed in the last failedWithin.
	Failed int `json:"failed"`
}

// failedWithin is for how long an act that failed is a problem of the whole.
const failedWithin = 15 * time.Minute

// overdueAfter is how many intervals an agent may miss.
const overdueAfter = 3

func statusOf(a *app.App, r *http.Request) (any, error) {
	ctx, now := r.Context(), time.Now().UTC()
	s := &daemonStatus{
		Version: version(), Now: now, NotReady: append([]string{}, notReady(a)...), Policies: policyStatus(a), Agents: a.Agents(), Manifests: errorText(a.ReloadStatus().Err),
	}
	if boxes, approvals, err := a.Waiting(ctx); err == nil {
		s.Waiting.Inbox, s.Waiting.Outbox, s.Waiting.Dead, s.Waiting.Approvals = boxes.Inbox, boxes.Outbox, boxes.Dead, approvals
		if held, err := a.Claims(); err == nil {
			s.Waiting.Claims = len(held)
		}
	} else if a.Journal.Health() == nil && len(s.Agents) == 0 { // ErrStandsBy
		s.Health = standby
	}
	var err error
	if s.Waiting.Failed, err = failedSince(ctx, a, now.Add(-failedWithin)); err != nil {
		s.Problems = append(s.Problems, "the journal can't be read: "+err.Error())
	}
	s.judge()
	return s, nil
}

func failedSince(ctx context.Context, a *app.App, since time.Time) (int, error) {
	reader, err := a.Journal.Reader()
	if err != nil {
		return 0, err
	}
	rows, err := reader.Decisions(ctx, journal.Filter{Outcome: engine.Failed, Since: since, Limit: maxLimit})
	return len(rows), err
}

// judge completes the problems and sets the health.
func (s *daemonStatus) judge() {
	add := func(format string, args ...any) { s.Problems = append(s.Problems, fmt.Sprintf(format, args...)) }
	if s.Policies.LastError != "" {
		add("policies refused, revision %s runs on: %s", s.Policies.Revision, s.Policies.LastError)
	}
	if s.Manifests != "" {
		add("manifests refused, the old ones run on: %s", s.Manifests)
	}
	for _, a := range s.Agents {
		for _, p := range agentProblems(a, s.Now) {
			add("%s: %s", a.Agent, p)
		}
	}
	if n := s.Waiting.Failed; n > 0 {
		add("%d %s failed in the last %s: scanflow decisions --verdict failed", n, plural(n, "act"), failedWithin)
	}
	if n := s.Waiting.Dead; n > 0 {
		add("%d dead %s: scanflow events --box dead", n, plural(n, "letter"))
	}
	s.Problems = append([]string{}, s.Problems...)
	switch {
	case len(s.NotReady) > 0:
		s.Health = notWell
	case s.Health == standby:
	case len(s.Problems) > 0:
		s.Health = unhealthy
	default:
		s.Health = healthy
	}
}

// agentProblems returns the problems of an agent, the worst first.
func agentProblems(a loop.AgentStatus, now time.Time) (out []string) {
	if a.JournalError != "" {
		out = append(out, "the last turn could not be recorded: "+a.JournalError)
	}
	if since := now.Sub(lastTurn(a)); a.Interval > 0 && a.Mode != engine.Paused && since > overdueAfter*a.Interval+10*time.Second {
		out = append(out, fmt.Sprintf("no turn for %s, and one is due every %s", since.Round(time.Second), a.Interval))
	}
	return append(out, a.Problems...)
}

// lastTurn is when an agent fired last, or began.
func lastTurn(a loop.AgentStatus) time.Time {
	if a.LastFiring.IsZero() {
		return a.Started
	}
	return a.LastFiring
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
