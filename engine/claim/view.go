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
		if !slices.ContainsFunc(out, func(o engine.Claim) bool { return o.Name == c.Claim }) {
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
	if h := v.Shared.Free(k, now); h != nil {
		return h
	}
	if h := v.own().Free(k, now); h != nil {
		return h
	}
	return v.Remote.free(k, now)
}

// Take takes the claim of an act that the agent is about to begin.
func (v *View) Take(k Key, now time.Time) (prior *Hold, held *Holder) { return v.own().Take(k, now) }

// Restore undoes a Take.
func (v *View) Restore(k Key, prior *Hold) { v.own().Restore(k, prior) }

// Release ends the claim of an intent. Its table depends on the mode that it was admitted
// in, which may have changed since.
func (v *View) Release(in *engine.Intent, until, now time.Time) {
	v.of(in.DryRun).Release(Of(in), until, now)
}

// Orphan records that the agent of an intent was stopped before the act's end.
func (v *View) Orphan(in *engine.Intent) { v.of(in.DryRun).Orphan(Of(in)) }

// Reclaim takes back the claims of an earlier process: those of open intents, and those
// that have not cooled down.
func (v *View) Reclaim(open []engine.Intent, acts []engine.Act, guards *engine.Guards, now time.Time) {
	for i := range open {
		if in := &open[i]; !in.DryRun {
			v.Shared.Take(Of(in), now)
			v.Shared.Began(Of(in), engine.NotAfter(in.At, now))
		}
	}
	for i := range acts {
		act := &acts[i]
		if act.Outcome.Status != engine.Done && act.Outcome.Status != engine.Failed || act.DryRun {
			continue
		}
		_, wait := guards.CooldownOf(act.Primitive, act.Direction)
		if until := act.EndedAt.Add(wait); until.After(now) {
			if _, held := v.Shared.Take(Of(&act.Intent), now); held == nil {
				v.Shared.Release(Of(&act.Intent), until, now)
			}
		}
	}
}
