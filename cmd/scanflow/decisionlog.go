package main

import (
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// decisionLog logs decisions and acts. A problem is logged when it appears and when it has
// passed, and not at each firing between.
type decisionLog struct {
	hclog.Logger
	mu       sync.Mutex
	problems map[string][]string // by agent
	signals  signalLog
}

func newDecisionLog(log hclog.Logger) *decisionLog {
	return &decisionLog{Logger: log, problems: map[string][]string{}, signals: signalLog{}}
}

func (l *decisionLog) Fired(f engine.FiringRecord) {
	dry := f.Mode == engine.DryRun
	l.mu.Lock()
	before := l.problems[f.Agent]
	l.problems[f.Agent] = f.Problems
	changes := l.signals.changes(&f)
	l.mu.Unlock()
	for _, p := range f.Problems {
		if !slices.Contains(before, p) {
			l.Warn("problem", "agent", f.Agent, "firing", f.ID, "problem", p)
		}
	}
	for _, p := range before {
		if !slices.Contains(f.Problems, p) {
			l.Info("problem has passed", "agent", f.Agent, "firing", f.ID, "problem", p)
		}
	}
	for _, c := range changes {
		l.Log(c.level, c.message, append([]any{"agent", f.Agent, "firing", f.ID}, c.fields...)...)
	}
	for _, d := range f.Decisions {
		write := l.Info
		if d.By == "primitives" || d.By == "shape" {
			write = l.Warn // a mistake in a policy or a manifest
		}
		fields := []any{
			"agent", f.Agent, "target", d.Target, "strategy", d.Strategy, "primitive", d.Primitive, "with", loggedParams(&d),
			"verdict", d.Verdict, "detail", d.Detail, "reason", d.Reason, "firing", f.ID, "dry_run", dry,
		}
		if d.By != "" {
			fields = append(fields, "by", d.By)
		}
		write("decided", fields...)
	}
}

// Stalled logs what keeps a running act from its end, and that it is gone.
func (l *decisionLog) Stalled(a engine.Act) {
	fields := []any{"agent", a.Agent, "target", a.Target, "primitive", a.Primitive, "detail", a.Outcome.Detail, "identity", a.Identity}
	if a.Outcome.Obstacle == "" {
		l.Info("act no longer held up", fields...)
		return
	}
	l.Warn("act held up", append(fields, "obstacle", a.Outcome.Obstacle)...)
}

func (l *decisionLog) Acted(a engine.Act) {
	write := l.Info
	if a.Outcome.Status == engine.Failed {
		write = l.Error
	}
	write("acted", "agent", a.Agent, "target", a.Target, "primitive", a.Primitive, "outcome", a.Outcome.Status, "detail", a.Outcome.Detail,
		"took", a.EndedAt.Sub(a.At), "identity", a.Identity, "dry_run", a.DryRun)
}
