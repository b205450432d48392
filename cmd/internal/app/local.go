package app

import (
	"context"
	"errors"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/reload"
)

// startLocal runs the agents of the manifests, with the local orchestrator where there are
// workloads.
func (a *App) startLocal(ctx context.Context) error {
	content := a.files.Content() // before they are read: a change after that is one
	agents, workloads, err := a.files.Read()
	a.agents.Store(&agents)
	err = errors.Join(err, a.loadPolicies(ctx))
	asWritten := err == nil
	if !asWritten {
		if agents, workloads, err = a.loadLastGood(ctx, err); err != nil {
			return err
		}
		content = reload.Content{} // what is on disk is tried again, and logged as refused
	}
	if err := a.openData(ctx); err != nil {
		return err
	}
	if len(a.opts.Workloads) > 0 {
		if err := a.openLocal(); err != nil {
			return err
		}
	}
	specs, err := agentspec.Build(agents, a.env())
	if err != nil {
		return err
	}
	if a.Local != nil { // no pod starts before everything else was found right
		if err := a.Local.Apply(ctx, workloads); err != nil {
			return err
		}
	}
	manager := a.newManager(a.Journal, nil)
	a.closers.push(func(context.Context) error { manager.Close(); return nil })
	a.lead.Lead(manager)
	a.apply(agents, specs)
	a.reloader = reload.New(reload.Options{
		Files: a.files, Policies: a.Policies, Local: a.Local, Env: a.env(), Agents: a.runningAgents, Apply: a.apply, LastGood: a.lastGood,
		Clock: a.opts.Clock, Log: a.opts.Log,
	}, content)
	if asWritten {
		a.lastGood.Keep(a.Policies.Live())
	}
	a.background(ctx, watchesDeadline,
		func(ctx context.Context) { a.source.Follow(ctx, a.Policies) },
		func(ctx context.Context) { a.followPolicies(ctx, a.reloader.PoliciesChanged) },
		a.reloader.Run)
	return nil
}

// openLocal makes the local orchestrator, which starts no pod yet.
func (a *App) openLocal() (err error) {
	o := a.opts.Local
	o.StateDir, o.Log, o.Clock = localDir(a.opts.Data), a.opts.Log.Named("local"), a.opts.Clock
	if a.Local, err = orchestrator.New(o); err != nil {
		return err
	}
	ending := orchestrator.Detach
	if a.opts.StopPods {
		ending = orchestrator.StopAll
	}
	a.closers.push(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, localDeadline)
		defer cancel()
		return a.Local.Close(ctx, ending)
	})
	return nil
}
