package loop

import (
	"context"
	"encoding/json"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/turn"
)

// Preview holds the decisions that an agent would make now. Nothing is done and nothing is
// written.
type Preview struct {
	engine.FiringRecord
	// Documents are those of all targets, in the fleet's order; Decisions (of the record) those
	// of the targets with proposals, planned.
	Documents []json.RawMessage
	Decisions []engine.Decision
	// Faults say why signals are not OK. A document that was given has none.
	Faults []engine.SignalFault
}

// previewID stands for the id of a firing where there is none.
const previewID = "preview"

// PreviewFleet samples and decides as the agent's next firing would if it remembered nothing:
// no cooldown runs, no budget is spent. Where over is not 0 it samples twice, with that pause,
// for sensors that compare two samples.
func PreviewFleet(ctx context.Context, c Config, spec engine.Spec, over time.Duration) (Preview, error) {
	m := New(c)
	a := newAgent(m, spec)
	now, rev := m.Clock.Now(), m.Policies.Pin()
	in := turn.Input{ID: previewID, Now: now, Trigger: engine.TriggerInfo{Kind: "manual"}, Revision: rev, Policy: m.Policies.Info(now)}
	if over > 0 {
		first := in
		a.fetch(ctx, &first)
		a.Observe(first)
		if !engine.Sleep(ctx, m.Clock, over) {
			return Preview{FiringRecord: engine.FiringRecord{Agent: a.Name(), At: now, Trigger: in.Trigger, Revision: rev.ID(), Policy: in.Policy}}, ctx.Err()
		}
		in.Now = m.Clock.Now()
	}
	a.fetch(ctx, &in)
	a.sampler.wg.Wait()
	in.Problems = a.sampler.problems()
	o := a.Observe(in)
	faults := o.Faults()
	p, err := a.preview(ctx, o, in.Trigger)
	p.Faults = faults
	return p, err
}

// PreviewDocument decides on a document that is given. Its target need not exist; a proposal
// that can't be planned is refused.
func PreviewDocument(ctx context.Context, c Config, spec engine.Spec, doc *engine.Document) (Preview, error) {
	m := New(c)
	a := newAgent(m, spec)
	return a.preview(ctx, a.ObserveDocuments(turn.Input{ID: previewID, Revision: m.Policies.Pin()}, doc), *doc.Trigger)
}

// PreviewState decides on the documents and the state that a Manager.Preview in another process
// returned, with the policies of this one. There is at least one document.
func PreviewState(ctx context.Context, c Config, state *turn.State, docs ...*engine.Document) (Preview, error) {
	m := New(c)
	a := newAgent(m, state.Spec())
	a.Restore(state, docs[0].Now)
	return a.preview(ctx, a.ObserveDocuments(turn.Input{ID: previewID, Revision: m.Policies.Pin()}, docs...), *docs[0].Trigger)
}

func (a *agent) preview(ctx context.Context, o *turn.Observation, trigger engine.TriggerInfo) (Preview, error) {
	evaluated := o.Evaluate(ctx, allCores)
	result := evaluated.Admit(a.plan(ctx, evaluated.Plans()))
	p := Preview{FiringRecord: result.Record, Decisions: result.All()}
	for i := range p.Decisions {
		p.Decisions[i].Document = nil // Documents has it
	}
	p.ID, p.Trigger = "", trigger
	var err error
	if p.Documents, err = result.DocumentsOfAll(); err != nil {
		return p, err
	}
	return p, ctx.Err()
}
