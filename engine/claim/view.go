package claim

import (
	"cmp"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// View combines the tables that one agent sees. An agent in mode dry-run respects the
// claims of others, and takes its own from a table that others do not see.
type View struct {
	Shared *Table  // of all agents of the process
	DryRun *Table  // of this agent's dry run
	Remote *Remote // of other processes
	IsDry  bool    // the agent is in mode dry-run
	// Priority is that of the agent.
	Priority int
}

// own returns the table that the agent takes claims from.
func (v *View) own() *Table { return v.of(v.IsDry) }

func (v *View) of(dryRun bool) *Table {
	if dryRun {
		return v.DryRun
	}
	return v.Shared
}

// On returns the claims on a target for a document, by name. Where two processes took the
// same one, that of this process counts.
func (v *View) On(target engine.TargetID, now time.Time) []engine.Claim {
	out := v.Shared.On(target, now)
	for _, c := range v.Remote.on(target, now) {
		if c.State != held && !slices.ContainsFunc(out, func(o engine.Claim) bool { return o.Name == c.Claim }) {
			out = append(out, claimOf(&c))
		}
	}
	slices.SortFunc(out, func(x, y engine.Claim) int { return cmp.Compare(x.Name, y.Name) })
	if v.IsDry {
		out = append(out, v.DryRun.On(target, now)...)
	}
	return out
}

// Free returns the holder that keeps an act from taking its claim, here or in another
// process, nil where it is free.
func (v *View) Free(k Key, now time.Time) *Holder {
	k.Priority = v.Priority
	if h := v.Shared.Free(k, now); h != nil {
		return h
	}
	if h := v.own().Free(k, now); h != nil {
		return h
	}
	return v.Remote.free(k, now)
}

// Take takes the claim of an act that the agent is about to begin.
func (v *View) Take(k Key, now time.Time) (prior *Hold, holder *Holder) {
	k.Priority = v.Priority
	return v.own().Take(k, now)
}

// Explain says why an act of the agent can't take its claim.
func (v *View) Explain(h *Holder, k Key) string {
	k.Priority = v.Priority
	return h.Explain(k)
}

// Reversal returns the write of another agent that an act of a direction would take back, nil
// where there is none. A dry run takes back nothing, and sees what it would.
func (v *View) Reversal(k Key, d engine.Direction, now time.Time) *engine.Reversal {
	if found := v.Shared.Reversal(k, d, now); found != nil {
		return found
	}
	return v.Remote.reversal(k, d, now)
}

// Restore undoes a Take.
func (v *View) Restore(k Key, prior *Hold) { v.own().Restore(k, prior) }

// Release ends the claim of an intent. Its table depends on the mode that it was admitted
// in, which may have changed since.
func (v *View) Release(in *engine.Intent, end End, now time.Time) {
	v.of(in.DryRun).Release(in, end, now)
}

// Orphan records that the agent of an intent was stopped before the act's end.
func (v *View) Orphan(in *engine.Intent) { v.of(in.DryRun).Orphan(Of(in)) }

// Reclaim takes back the claims of an earlier process: those of open intents, and those that
// cool down or are held. endOf returns how the claim of an act ends.
func (v *View) Reclaim(open []engine.Intent, acts []engine.Act, endOf func(*engine.Intent, engine.Outcome, time.Time) End, now time.Time) {
	for i := range acts {
		if act := &acts[i]; !act.DryRun && act.Outcome.Status != engine.Running {
			v.Shared.Recall(&act.Intent, v.Priority, endOf(&act.Intent, act.Outcome, act.EndedAt), now)
		}
	}
	for i := range open {
		if in := &open[i]; !in.DryRun {
			k := Of(in)
			k.Priority = v.Priority
			v.Shared.Take(k, now)
			v.Shared.Began(k, engine.NotAfter(in.At, now))
		}
	}
}
