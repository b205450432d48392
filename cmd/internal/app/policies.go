package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/acceptance"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentcheck"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// documentsTimeout bounds the wait for the documents that new policies are tried on. An
// agent that is in the middle of a turn for longer is left out.
const documentsTimeout = 300 * time.Millisecond

// newPolicies makes the store of the policies, without a revision.
func (a *App) newPolicies() {
	log := a.opts.Log.Named("policy")
	a.source = a.opts.Policies.Open(a.opts.Clock, log)
	a.Policies = policy.NewStore(a.source.Read, policy.StoreOptions{
		Options: a.recovery.PolicyOptions(), Judge: a.recovery.Judge(), Trial: a.trial, Validate: a.validatePolicies, Clock: a.opts.Clock, Log: log,
		OnSwap: func() {
			select {
			case a.swapped <- struct{}{}:
			default:
			}
		},
	})
}

// trial lists what new policies are tried on: the running agents and their documents.
func (a *App) trial(ctx context.Context) policy.Trial {
	agents := a.runningAgents()
	var documents map[string][]json.RawMessage
	if manager := a.lead.Manager(); manager != nil {
		ctx, cancel := context.WithTimeout(ctx, documentsTimeout)
		defer cancel()
		documents = manager.Documents(ctx)
	}
	return agentcheck.Trial(agents, documents)
}

// validatePolicies accepts policies that fit the agents that run, or else the agents as
// they are written now, which are taken up as soon as the policies are live.
func (a *App) validatePolicies(rev *policy.Revision) error {
	err := agentcheck.Verify(a.runningAgents(), rev)
	switch {
	case err == nil, a.cluster != nil && acceptance.Fits(a.cluster.source, rev):
		return nil
	case a.cluster != nil:
		return err
	}
	agents, unread := a.files.Agents()
	if unread != nil { // their reload says so
		return err
	}
	return a.files.Fit(agents, rev, a.env())
}

// loadPolicies loads the first revision, with the bundles behind URLs.
func (a *App) loadPolicies(ctx context.Context) error {
	if err := a.source.Wait(ctx); err != nil {
		return fmt.Errorf("load policies: %w", err)
	}
	if err := a.Policies.Load(ctx); err != nil {
		return err
	}
	a.firstPolicies()
	return nil
}

// firstPolicies handles a swap before followPolicies runs.
func (a *App) firstPolicies() {
	select {
	case <-a.swapped:
		agentcheck.LogAllUnused(a.opts.Log, a.Policies.Live(), a.runningAgents())
	default: // the policies that were loaded are those that were live
	}
}

// followPolicies handles each later swap. changed has the agents judged again.
func (a *App) followPolicies(ctx context.Context, changed func(context.Context)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.swapped:
			live := a.Policies.Live()
			agentcheck.LogAllUnused(a.opts.Log, live, a.runningAgents())
			a.lastGood.Keep(live)
			changed(ctx)
		}
	}
}

// loadLastGood loads what the last process ran on, if that did not end cleanly, in place
// of files and policies that are refused. Otherwise the error is the refusal.
func (a *App) loadLastGood(ctx context.Context, refused error) ([]*manifest.Agent, orchestrator.Workloads, error) {
	src, files, err := a.lastGood.Read()
	if ctx.Err() != nil || err != nil { // mostly there is none
		return nil, orchestrator.Workloads{}, refused
	}
	agents, workloads, err := files.Read()
	if err == nil {
		a.agents.Store(&agents)
		err = a.Policies.LoadFallback(ctx, src, refused)
	}
	if err != nil {
		return nil, workloads, errors.Join(refused, fmt.Errorf("go on with what the last process ran on: %w", err))
	}
	a.firstPolicies()
	a.opts.Log.Error("what is written down is refused; this process goes on with what the last one ran on, which did not end in order", "error", refused)
	return agents, workloads, nil
}
