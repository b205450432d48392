package engine

import (
	"context"
	"encoding/json"
	"time"
)

// Preview is what an agent would do now, with nothing done and nothing written.
type Preview struct {
	FiringRecord
	// Documents are those of all targets, in the fleet's order; Decisions (of the
	// record) those of the targets with proposals, planned.
	Documents []json.RawMessage
	Decisions []Decision
	// Faults say why signals are not OK. A document that was given does not tell.
	Faults []Fault
}

// PreviewFleet samples and decides, as the agent's next firing would if it
// remembered nothing: no cooldown runs, no budget is spent. Where over is not 0 it
// samples twice, so far apart, for sensors that compare two samples.
func PreviewFleet(ctx context.Context, c Config, spec Spec, over time.Duration) (Preview, error) {
	a := newAgent(NewHost(c), spec)
	trigger := TriggerInfo{Kind: "manual"}
	now := a.host.Clock.Now()
	rev := a.host.Policies.Pin()
	p := Preview{FiringRecord: FiringRecord{Agent: a.name, At: now, Trigger: trigger, Revision: rev.ID(), Policy: a.host.Policies.Info(now), Signals: map[State]int{}}}
	if over > 0 {
		_, _ = a.sense(ctx, now, &trigger, &FiringRecord{})
		if !Sleep(ctx, a.host.Clock, over) {
			return p, ctx.Err()
		}
		now = a.host.Clock.Now()
		p.At = now
	}
	// A fleet that can't be listed is among the problems.
	slots, _ := a.sense(ctx, now, &trigger, &p.FiringRecord)
	a.sampler.wg.Wait()
	p.Problems = a.doubted(p.Problems)
	p.Faults = a.faults(slots, p.Unfit)
	err := a.preview(ctx, rev, slots, &p)
	return p, err
}

// PreviewDocument decides on a document that is given. Its target need not exist;
// what can't be planned is refused as such.
func PreviewDocument(ctx context.Context, c Config, spec Spec, doc *Document) (Preview, error) {
	a := newAgent(NewHost(c), spec)
	rev := a.host.Policies.Pin()
	s := &slot{doc: *doc}
	a.names, a.fleetSize = doc.Names, 1
	p := Preview{FiringRecord: FiringRecord{Agent: a.name, At: doc.Now, Trigger: *doc.Trigger, Revision: rev.ID(), Targets: 1}}
	a.mu.Lock()
	a.memoryOf(doc.Target.ID()).doc = doc.Memory
	a.mu.Unlock()
	err := a.preview(ctx, rev, []*slot{s}, &p)
	return p, err
}

// preview stands for a firing's id where there is no firing.
const preview = "preview"

func (a *agent) preview(ctx context.Context, rev Revision, slots []*slot, p *Preview) error {
	candidates := a.decide(ctx, rev, slots, &p.FiringRecord)
	a.bound(candidates)
	a.plan(ctx, candidates, preview)
	a.admit(candidates, preview, p.At)
	for _, c := range candidates {
		p.Decisions = append(p.Decisions, c.decision)
	}
	for _, s := range slots {
		raw, err := json.Marshal(&s.doc)
		if err != nil {
			return err
		}
		p.Documents = append(p.Documents, raw)
	}
	return ctx.Err()
}
