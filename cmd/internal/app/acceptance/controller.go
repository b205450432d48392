// Package acceptance decides which Agent resources of a cluster run. It judges each by
// itself: an agent whose new spec is wrong keeps running as its last accepted one. It
// starts no agent; its user does that in Apply. Start reading at Controller.
package acceptance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentcheck"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/status"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// Options configure a Controller; all are required.
type Options struct {
	Source   *agentcr.Source
	Policies *policy.Store
	Status   *status.Reporter
	Env      agentspec.Env
	// Apply replaces the running agents. horizon is the longest look-back of their guards. When
	// it returns, the earlier specs are not used any more.
	Apply func(agents []*manifest.Agent, specs []engine.Spec, horizon time.Duration)
	Log   hclog.Logger
}

// Controller judges the agents of a cluster when they change, and on JudgeAgain: when
// other policies are live, or a term began. The goroutine of Run owns its maps.
//
//	resource or policies changed -> judge each -> Apply those accepted -> release replaced specs -> status
type Controller struct {
	Options
	running map[string]*running
	// replaced are the specs that run until the next Apply returns.
	replaced []*running
	// logged has the last logged judgement of each agent.
	logged map[string]string

	again  chan struct{}
	judged chan struct{} // closed after the first round
	// declared are the names of all resources, accepted or not, as of the last round.
	declared atomic.Pointer[map[string]bool]
}

// New makes a controller that does nothing before Run.
func New(o Options) *Controller {
	return &Controller{Options: o, running: map[string]*running{}, logged: map[string]string{}, again: make(chan struct{}, 1), judged: make(chan struct{})}
}

// JudgeAgain has all agents judged soon, though none of them changed.
func (c *Controller) JudgeAgain() {
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// Judged is closed once every agent was judged for the first time.
func (c *Controller) Judged() <-chan struct{} { return c.judged }

// Declared reports whether an agent exists, accepted or not.
func (c *Controller) Declared(agent string) bool {
	names := c.declared.Load()
	return names == nil || (*names)[agent]
}

// Run judges until ctx ends.
func (c *Controller) Run(ctx context.Context) {
	if err := c.Source.Synced(ctx); err != nil {
		return // ctx ended; the source has logged what kept it from the agents
	}
	for first := true; ; first = false {
		c.judge(c.Source.Agents())
		if first {
			close(c.judged)
		}
		if c.Policies.Status().Err != nil {
			// Policies that were refused because of the agents may fit the new ones. If not,
			// the store has logged why.
			_ = c.Policies.Load(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.Source.Changed():
		case <-c.again:
		}
	}
}

// judge does one round over all resources.
func (c *Controller) judge(found []agentcr.Found) {
	rev := c.Policies.Live()
	declared := map[string]bool{}
	for _, f := range found {
		name := f.NamespacedName().String()
		declared[name] = true
		if old := c.running[name]; old != nil && old.uid != f.UID { // deleted and created again
			c.replaced = append(c.replaced, old)
			delete(c.running, name)
		}
		refused := c.acceptOrRestore(name, f, rev)
		judgement := status.Judgement{Generation: f.Generation, Refused: refused, Shown: f.Shown}
		if r := c.running[name]; r != nil {
			judgement.Running, judgement.Hash, judgement.Mode = r.written, r.spec.Generation, r.spec.Mode
		}
		c.Status.Judged(f.NamespacedName(), judgement)
		c.log(name, judgement)
	}
	for name := range c.logged {
		if !declared[name] {
			delete(c.logged, name)
			c.Status.Deleted(name)
			c.Log.Info("agent deleted", "agent", name)
		}
	}
	c.declared.Store(&declared)
	var agents []*manifest.Agent
	var specs []engine.Spec
	horizon := time.Duration(0)
	for _, name := range slices.Sorted(maps.Keys(c.running)) {
		r := c.running[name]
		if !declared[name] {
			c.replaced = append(c.replaced, r)
			delete(c.running, name)
			continue
		}
		agents, specs, horizon = append(agents, r.agent), append(specs, r.spec), max(horizon, r.spec.Guards.LookBack())
	}
	c.Apply(agents, specs, horizon)
	for _, r := range c.replaced {
		r.release()
	}
	c.replaced = nil
	c.Status.Publish(c.Policies.Status().Revision)
}

// log logs a judgement, unless it was logged before.
func (c *Controller) log(name string, j status.Judgement) {
	summary := fmt.Sprint(j.Generation, j.Refused)
	if c.logged[name] == summary {
		return
	}
	c.logged[name] = summary
	switch {
	case j.Refused.Reason == "":
		c.Log.Info("agent accepted", "agent", name, "generation", j.Generation)
	case j.Running != nil:
		c.Log.Warn("agent refused, the last good one runs on", "agent", name, "generation", j.Generation, "error", j.Refused.Message)
	default:
		c.Log.Warn("agent refused", "agent", name, "generation", j.Generation, "error", j.Refused.Message)
	}
}

// acceptOrRestore accepts one agent, or returns why not. If none of its specs runs in this
// process, it restores the last good spec from the status.
func (c *Controller) acceptOrRestore(name string, f agentcr.Found, rev *policy.Revision) status.Refusal {
	refused := c.accept(name, f, f.Agent, f.Spec, rev)
	if refused.Reason != "" && c.running[name] == nil && f.LastGood != nil {
		_ = c.accept(name, f, f.LastGood, f.LastGoodSpec, rev) // the status shows the refusal of the new spec
	}
	return refused
}

func (c *Controller) accept(name string, f agentcr.Found, agent *manifest.Agent, written map[string]any, rev *policy.Revision) status.Refusal {
	if agent == nil {
		return status.Refusal{Reason: status.ReasonInvalid, Message: f.Mistakes.Error()}
	}
	old := c.running[name]
	if mismatches := agentcheck.VerifyStrategies(agent, rev); len(mismatches) > 0 {
		return status.Refusal{Reason: status.ReasonUnfit, Message: mismatches.Error()}
	}
	if generation, err := agent.Generation(); err == nil && old != nil && old.spec.Generation == generation {
		old.written = written
		return status.Refusal{}
	}
	spec, err := agentspec.BuildOne(agent, c.Env)
	if err != nil {
		return status.Refusal{Reason: status.ReasonInvalid, Message: err.Error()}
	}
	r := &running{agent: agent, spec: spec, written: written, uid: f.UID}
	r.follow()
	agentcheck.LogUnused(c.Log, c.Policies.Live(), agent)
	c.running[name] = r
	if old != nil {
		c.replaced = append(c.replaced, old)
	}
	return status.Refusal{}
}

// Fits reports whether policies go with all agents as they are written in the cluster now.
func Fits(source *agentcr.Source, rev *policy.Revision) bool {
	var agents []*manifest.Agent
	for _, f := range source.Agents() {
		if f.Agent == nil {
			return false
		}
		agents = append(agents, f.Agent)
	}
	return agentcheck.Verify(agents, rev) == nil
}
