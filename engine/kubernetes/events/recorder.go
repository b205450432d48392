package events

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// Options configure a Recorder.
type Options struct {
	Client *apiclient.Client
	View   *clusterview.View // finds the targets that events are about
	// AgentUID returns the UID of the Agent resource with a namespace/name; "" where there is
	// none, or where this process may not write about it.
	AgentUID func(agent string) types.UID
	Instance string // names this process
	Clock    engine.Clock
	Log      hclog.Logger
}

// Recorder writes Kubernetes Events. It implements engine.StallObserver and never blocks the
// engine.
type Recorder struct {
	opts    Options
	writer  *writer
	repeats *repeats
	turns   *turns
	stop    context.CancelFunc
	work    sync.WaitGroup
}

var _ engine.StallObserver = (*Recorder)(nil)

// NewRecorder starts goroutines that write the events; Close ends them.
func NewRecorder(o Options) *Recorder {
	ctx, stop := context.WithCancel(context.Background())
	r := &Recorder{opts: o, stop: stop, writer: newWriter(o), repeats: newRepeats(o.Clock)}
	r.turns = newTurns(o.Clock, r.summarize)
	r.work.Go(func() { r.turns.run(ctx) })
	r.work.Go(func() { r.writer.run(ctx) })
	return r
}

// Close writes the events that are due or queued, until ctx ends.
func (r *Recorder) Close(ctx context.Context) error {
	r.turns.close()
	r.writer.close()
	defer r.stop()
	done := make(chan struct{})
	go func() { defer close(done); r.work.Wait() }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		r.stop()
		<-done
		return fmt.Errorf("write the last events: %w", ctx.Err())
	}
}

// needsPerson reports whether a refusal stays until a person acts.
func needsPerson(d *engine.Decision) bool {
	switch d.By {
	case "plan", "primitives", "shape", "guards.budget", "guards.fleet", "guards.approval", "guards.urls":
		return true
	}
	return d.Guard != "" // denied by a guard in Rego, which is more than at its bound
}

// Fired records the refusals of a firing. The engine reports a refusal that repeats only
// once.
func (r *Recorder) Fired(f engine.FiringRecord) {
	for _, d := range f.Decisions {
		if d.Verdict == engine.Refused && needsPerson(&d) {
			r.onTarget(d.Target, corev1.EventTypeWarning, camel(d.Primitive)+"Refused",
				fmt.Sprintf("%s (by %s; strategy %s of agent %s, %s)", d.Detail, d.By, d.Strategy, f.Agent, d.Reason))
		}
	}
	acts := 0
	for i := range f.Intents {
		if !f.Intents[i].DryRun {
			acts++
		}
	}
	if acts > 0 {
		r.turns.began(f.ID, f.Agent, acts)
	}
}

// Stalled records what keeps an act from its end.
func (r *Recorder) Stalled(a engine.Act) {
	if a.DryRun || a.Outcome.Obstacle == "" || r.repeats.known("stalled", &a, a.Outcome.Obstacle) {
		return
	}
	r.onTarget(a.Target.ID(), corev1.EventTypeWarning, camel(a.Primitive)+"Stalled", fmt.Sprintf("%s: %s (%s)", a.Diff, a.Outcome.Obstacle, because(&a)))
}

// Acted records an act, which may end before Fired has its firing.
func (r *Recorder) Acted(a engine.Act) {
	if a.DryRun {
		return
	}
	kind, suffix, reverses := "", "", ""
	switch {
	case a.Outcome.Status == engine.Failed:
		kind, suffix = corev1.EventTypeWarning, "Failed"
		if r.repeats.known("failed", &a, a.Diff+a.Outcome.Detail) {
			kind = ""
		}
	case a.Outcome.Status == engine.Abandoned:
		kind, suffix = corev1.EventTypeWarning, "Abandoned"
	case a.Reverses != nil:
		kind, suffix = corev1.EventTypeWarning, "Reversed"
		reverses = "; it " + a.Reverses.Explain(a.At)
	case a.TakenOver != "" && r.turns.takenOver(&a):
		kind, suffix = corev1.EventTypeNormal, "TakenOver"
	}
	if a.Outcome.Status != engine.Failed {
		r.repeats.forget(&a)
	}
	if kind != "" {
		r.onTarget(a.Target.ID(), kind, camel(a.Primitive)+suffix, fmt.Sprintf("%s: %s%s (%s)", a.Diff, a.Outcome.Detail, reverses, because(&a)))
	}
	r.turns.ended(&a)
}

// because returns what asked for an act, and its identity.
func because(a *engine.Act) string {
	text := fmt.Sprintf("strategy %s of agent %s", a.Strategy, a.Agent)
	if a.Reason != "" { // unknown for an act that an earlier leader began
		text += ", " + a.Reason
	}
	return text + "; change " + a.Identity
}

// camel converts a verb to the reason of an event: "ModelServe".
func camel(verb string) string {
	up := true
	return strings.Map(func(c rune) rune {
		if c == '.' {
			up = true
			return -1
		}
		if up {
			up = false
			return unicode.ToUpper(c)
		}
		return c
	}, verb)
}

// onTarget queues an event on a target.
func (r *Recorder) onTarget(id engine.TargetID, kind, reason, message string) {
	if id.Kind == "" {
		return // a static target, which is no object
	}
	r.writer.enqueue(r.opts.View.Reference(id), kind, reason, message)
}
