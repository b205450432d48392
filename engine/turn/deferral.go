package turn

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
)

// An event of whose acts a guard refuses some is not lost:
//
//	inbox -> a turn -> handled                       its acts are admitted, or none is proposed
//	          ^   \ \-> dead letter, with the reason  a guard refuses one
//	          |    \
//	          +-- deferred, behind the others         a guard refuses one, and the trigger says wait
//
// Each refusal is a row too. Acts that were admitted earlier are not repeated when the event
// is handled again.

// deferPause has the pauses before a deferred event is handled again, where the guard does
// not say when the act passes.
var deferPause = backoff.Exponential{First: time.Second, Most: 30 * time.Second}

// mostDeferred bounds the deferred events of one agent. Any more become dead letters.
const mostDeferred = 1000

// disposition returns how the trigger's event continues; nil where it is handled.
func (e *Evaluation) disposition(intents []engine.Intent) *engine.Disposition {
	trigger, now := &e.in.Trigger, e.in.Now
	if !trigger.HandlesEvent() || e.rec.Trigger.Event == nil || e.agent.Spec.Mode != engine.Enforce {
		return nil
	}
	refused := refusedForEvent(e.candidates)
	if len(refused) == 0 {
		return nil
	}
	before := trigger.Deferral
	if before == nil {
		before = &engine.Deferral{}
	}
	next := engine.Deferral{Firing: trigger.Base(e.in.ID), Acts: slices.Clone(before.Acts), Refusals: hashOf(refused)}
	for _, in := range intents {
		next.Acts = append(next.Acts, in.Identity)
	}
	out := &engine.Disposition{Event: *trigger.Event, Why: whyDeferred(refused)}
	out.Event.Deferral = &next
	since := before.Since
	if since.IsZero() || since.After(now) { // or the clock was set back
		since = now
	}
	ends := since.Add(e.agent.waitOf(trigger.Name))
	switch {
	case !ends.After(now) && since.Equal(now), !slices.ContainsFunc(refused, func(c *candidate) bool { return c.mayPassLater() }):
		out.Dead = true
	case !ends.After(now):
		out.Dead = true
		out.Why += fmt.Sprintf("; it waited for %s", now.Sub(since).Round(time.Second))
	case e.in.Deferred >= mostDeferred && before.Since.IsZero():
		out.Dead = true
		out.Why += fmt.Sprintf("; %d events of the agent wait already", mostDeferred)
	default:
		next.Since, next.At, next.Looks, next.Why = since, now, before.Looks+1, out.Why
		next.Until = handleAgainAt(refused, next.Looks, now, ends)
	}
	return out
}

// repeats reports whether a turn on a deferred event had the result of the one before.
func (e *Evaluation) repeats(d *engine.Disposition, intents []engine.Intent, approvals []engine.ApprovalChange) bool {
	before := e.in.Trigger.Deferral
	return d != nil && !d.Dead && before != nil && before.Refusals == d.Event.Deferral.Refusals && len(intents)+len(approvals) == 0
}

// refusedForEvent returns the candidates that the event asks for and a guard refused.
func refusedForEvent(candidates []*candidate) []*candidate {
	var out []*candidate
	for _, c := range candidates {
		if c.forEvent && c.decision.Verdict == engine.Refused && c.decision.By != byArbiter {
			out = append(out, c)
		}
	}
	return out
}

// mayPassLater reports whether the same guards may admit a refused candidate later.
func (c *candidate) mayPassLater() bool {
	switch c.decision.By {
	case engine.ByPrimitives, engine.ByBounds, byShape, byURLs, byApproval:
		return false
	}
	return true
}

// handleAgainAt returns when a deferred event is handled again: when the first guard lets it
// pass, if that is known, and when its wait ends at the latest.
func handleAgainAt(refused []*candidate, looks int, now, ends time.Time) time.Time {
	next := now.Add(deferPause.After(looks))
	for _, c := range refused {
		if c.passes.After(now) {
			next = c.passes
			break
		}
	}
	if next.After(ends) {
		return ends
	}
	return next
}

func whyDeferred(refused []*candidate) string {
	c := refused[0]
	why := fmt.Sprintf("%s of %s on %s is refused by %s: %s", c.Primitive, c.Strategy, c.Target.ID(), c.decision.By, c.decision.Detail)
	if n := len(refused) - 1; n > 0 {
		why += fmt.Sprintf("; so are %s", others(n))
	}
	return engine.Clip(why)
}

func hashOf(refused []*candidate) string {
	h := sha256.New()
	for _, c := range refused {
		_, _ = fmt.Fprintf(h, "%q %q %q %q\n", c.Target.ID(), c.Strategy, c.Primitive, cmp.Or(c.decision.By, "-"))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// waitOf returns how long the events of a trigger may wait for the guards.
func (a *Agent) waitOf(trigger string) time.Duration {
	for i := range a.Spec.Triggers {
		if t := &a.Spec.Triggers[i]; t.Name == trigger && t.Filter() != nil {
			return t.Wait
		}
	}
	return 0
}
