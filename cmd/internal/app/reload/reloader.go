package reload

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentcheck"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/watch"
)

// Status describes the reloads of manifests and workloads.
type Status struct {
	Last      time.Time
	Err       error // why the last change was refused; nil if it was accepted
	Successes int
	Failures  int
}

// Options configure a Reloader.
type Options struct {
	Files    Files
	Policies *policy.Store
	// Local runs the workloads; nil where there are none.
	Local *orchestrator.Orchestrator
	Env   agentspec.Env
	// Agents returns the agents that run, and Apply replaces them.
	Agents func() []*manifest.Agent
	Apply  func([]*manifest.Agent, []engine.Spec)
	// LastGood gets a copy of what was accepted.
	LastGood *LastGood
	Clock    engine.Clock
	Log      hclog.Logger
}

// Reloader takes up changed manifests and workloads.
//
//	change -> read -> fits the live policies? -> build -> workloads -> Apply -> copy
//	            |               |                  |          |
//	            +---------------+------------------+----------+--> what ran before runs on, Status has the error
//
// Manifests and policies must fit each other, and a person may save them in any order. So
// what was refused is tried again when other policies are live, and the other way round.
type Reloader struct {
	Options
	mu    sync.Mutex // one reload at a time
	tried Content
	runs  Content // the content that runs

	statusMu sync.Mutex
	status   Status
}

// New makes a reloader. tried is the content of the files that run, or that were refused.
func New(o Options, tried Content) *Reloader { return &Reloader{Options: o, tried: tried, runs: tried} }

// Status returns how the reloads went.
func (r *Reloader) Status() Status {
	r.statusMu.Lock()
	defer r.statusMu.Unlock()
	return r.status
}

// Run reloads the files when they change, until ctx ends.
func (r *Reloader) Run(ctx context.Context) {
	watch.Watch(ctx, watch.Options{
		Folders: r.Files.folders,
		Changed: func(ctx context.Context) { r.reloadIf(ctx, func() bool { return false }) },
		Clock:   r.Clock, Log: r.Log.Named("watch"),
	})
}

// PoliciesChanged reloads the files if those that run are not the ones on disk, or don't
// fit the live policies.
func (r *Reloader) PoliciesChanged(ctx context.Context) {
	r.reloadIf(ctx, func() bool {
		return r.Status().Err != nil || agentcheck.Verify(r.Agents(), r.Policies.Live()) != nil
	})
}

// Reload reads the files again, changed or not. The error is why they were refused.
func (r *Reloader) Reload(ctx context.Context) error {
	r.reloadIf(ctx, func() bool { return true })
	return r.Status().Err
}

// reloadIf reloads if the content of the files was not tried yet, or needed returns true.
func (r *Reloader) reloadIf(ctx context.Context, needed func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	content := r.Files.Content()
	if content == r.tried && !needed() {
		return
	}
	r.tried = content
	r.record(r.reload(ctx))
	if r.Policies.Status().Err != nil {
		// Policies that were refused because of the agents may fit the new ones. If not, the
		// store has logged why.
		_ = r.Policies.Load(ctx)
	}
}

func (r *Reloader) record(err error) {
	r.statusMu.Lock()
	defer r.statusMu.Unlock()
	st := &r.status
	refused := st.Err != nil
	st.Last, st.Err = r.Clock.Now(), err
	if err != nil {
		st.Failures++
		r.Log.Error("manifests refused, the old ones run on", "error", err)
		return
	}
	st.Successes++
	switch {
	case r.runs != r.tried:
		r.Log.Info("manifests taken up", "agents", len(r.Agents()))
	case refused: // or else the same ones were read again, for other policies
		r.Log.Info("manifests are again what they were", "agents", len(r.Agents()))
	}
	r.runs = r.tried
}

// reload reads and judges everything before it changes anything.
func (r *Reloader) reload(ctx context.Context) error {
	agents, workloads, err := r.Files.Read()
	if err != nil {
		return errors.Join(err, agentcheck.VerifyReadable(agents, r.Policies.Live()))
	}
	if err := agentcheck.Verify(agents, r.Policies.Live()); err != nil {
		return err
	}
	specs, err := agentspec.Build(agents, r.Env)
	if err != nil {
		return err
	}
	if r.Local != nil {
		if err := r.Local.Apply(ctx, workloads); err != nil {
			return err
		}
	}
	r.Apply(agents, specs)
	agentcheck.LogAllUnused(r.Log, r.Policies.Live(), agents)
	r.LastGood.Keep(r.Policies.Live())
	return nil
}
