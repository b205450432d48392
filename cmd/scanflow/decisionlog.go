package main

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// decisionLog logs decisions and acts. A problem is logged when it appears and when it has
// passed, and not at each firing between.
type decisionLog struct {
	hclog.Logger
	brief    bool // lines of at most mostLine characters, for a log that is text
	mu       sync.Mutex
	problems map[string][]string // by agent
	signals  signalLog
	ids      map[string]string // of the decisions whose acts run, by identity
}

// mostIDs bounds the decisions whose ids are kept.
const mostIDs = 10_000

func newDecisionLog(log hclog.Logger, brief bool) *decisionLog {
	return &decisionLog{Logger: log, brief: brief, problems: map[string][]string{}, signals: signalLog{}, ids: map[string]string{}}
}

func (l *decisionLog) Fired(f engine.FiringRecord) {
	dry := f.Mode == engine.DryRun
	l.mu.Lock()
	before := l.problems[f.Agent]
	l.problems[f.Agent] = f.Problems
	changes := l.signals.changes(&f)
	for i, d := range f.Decisions {
		if d.Identity != "" && d.Verdict == engine.Admitted && len(l.ids) < mostIDs {
			l.ids[d.Identity] = fmt.Sprintf("%s/%d", f.ID, i)
		}
	}
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
	for i, d := range f.Decisions {
		write, id := l.Info, fmt.Sprintf("%s/%d", f.ID, i)
		if d.By == "primitives" || d.By == "shape" {
			write = l.Warn // a mistake in a policy or a manifest
		}
		if l.brief {
			write("decided", fitLine("decided", briefDecision(&d, journal.ShortID(id), f.Agent, dry))...)
			continue
		}
		fields := []any{
			"agent", f.Agent, "target", d.Target, "strategy", d.Strategy, "primitive", d.Primitive, "with", loggedParams(&d),
			"verdict", d.Verdict, "detail", d.Detail, "reason", d.Reason, "id", id, "firing", f.ID, "dry_run", dry,
		}
		if d.By != "" {
			fields = append(fields, "by", d.By)
		}
		write("decided", fields...)
	}
}

// Stalled logs what keeps a running act from its end, and that it is gone.
func (l *decisionLog) Stalled(a engine.Act) {
	fields := []any{"agent", a.Agent, "target", a.Target.ID(), "primitive", a.Primitive, "detail", a.Outcome.Detail, "identity", a.Identity}
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
	l.mu.Lock()
	id := l.ids[a.Identity]
	delete(l.ids, a.Identity)
	l.mu.Unlock()
	if l.brief {
		write("acted", fitLine("acted", briefAct(&a, journal.ShortID(id)))...)
		return
	}
	fields := []any{
		"agent", a.Agent, "target", a.Target.ID(), "primitive", a.Primitive, "outcome", a.Outcome.Status, "detail", a.Outcome.Detail,
		"took", a.EndedAt.Sub(a.At), "identity", a.Identity, "dry_run", a.DryRun,
	}
	if id != "" {
		fields = append(fields, "id", id)
	}
	write("acted", fields...)
}

// briefDecision are the fields of a decision in the order in which they are kept.
func briefDecision(d *engine.Decision, id, agent string, dry bool) []logField {
	logged := *d
	if name := eventDataParams[d.Primitive]; d.With[name] != nil {
		logged.With = map[string]any{}
		for key, value := range d.With {
			if key != name {
				logged.With[key] = value
			}
		}
	}
	fields := []logField{{"verdict", string(d.Verdict), -1}, {"id", id, -1}}
	if dry {
		fields = append(fields, logField{"dry_run", strconv.FormatBool(dry), -1})
	}
	return append(fields, logField{"reason", d.Reason, 24}, logField{"by", d.By, 0}, logField{"target", d.Target.String(), 0},
		logField{"act", actText(d.Primitive, logged.With), 0}, logField{"detail", d.Detail, 0}, logField{"agent", agent, 0})
}

// briefAct are the fields of an act in the order in which they are kept. An act that an earlier
// process began has its identity in place of the decision's id.
func briefAct(a *engine.Act, id string) []logField {
	fields := []logField{{"outcome", string(a.Outcome.Status), -1}, {"id", id, -1}}
	if id == "" {
		fields[1] = logField{"identity", a.Identity, -1}
	}
	if a.DryRun {
		fields = append(fields, logField{"dry_run", strconv.FormatBool(a.DryRun), -1})
	}
	fields = append(fields, logField{"took", a.EndedAt.Sub(a.At).Round(time.Millisecond).String(), -1})
	detail := logField{"detail", a.Outcome.Detail, 0}
	if a.Outcome.Status == engine.Failed { // what is asked of a failure is why
		fields, detail = append(fields, logField{"detail", a.Outcome.Detail, 0}), logField{}
	}
	return append(fields, logField{"target", a.Target.String(), 0}, logField{"primitive", a.Primitive, 0}, detail, logField{"agent", a.Agent, 0})
}
