package queue

import (
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/urlguard"
)

// judge returns how each delivery of a batch ended, and whether the stream has to pause. A
// delivery that is past its deadline is given up.
func (o *Outbox) judge(k streamKey, batch []engine.Delivery, receipts []engine.Receipt, err error) (acks []engine.Ack, pauses bool) {
	now := o.clock.Now()
	note := func(d engine.Delivery, state engine.DeliveryState, why string) {
		s := d.Ack(state, why, now)
		if s.State == engine.Undeliverable {
			o.log.Error("event is a dead letter", "event", engine.Echo(d.Event.ID), "type", engine.Echo(d.Event.Type), "to", urlguard.Host(k.to.URL), "error", s.Why)
		}
		acks = append(acks, s)
	}
	switch {
	case err == nil && len(receipts) != len(batch):
		err = engine.Retry(fmt.Errorf("answered for %d events, was handed %d", len(receipts), len(batch)))
		fallthrough
	case err != nil && engine.IsRetryable(err):
		for _, d := range batch {
			switch {
			case !now.Before(d.Deadline()):
				note(d, engine.Undeliverable, fmt.Sprintf("not delivered within %s: %v", d.Timeout(), err))
			case d.Event.Call != nil:
				o.calls.Late(k.to.Agent, d.Event.ID)
			}
		}
		return acks, true
	case err != nil && len(batch) > 1: // one of them is refused: send them one by one
		return nil, false
	case err != nil:
		note(batch[0], engine.Undeliverable, err.Error())
		return acks, false
	}
	for i, d := range batch {
		switch receipts[i].Verdict {
		case engine.Accepted:
			note(d, engine.Delivered, receipts[i].Why)
		case engine.UnwantedEvent:
			if d.Event.Informs() {
				note(d, engine.Delivered, "")
				continue
			}
			note(d, engine.UnwantedThere, receipts[i].Why)
		default:
			note(d, engine.Undeliverable, receipts[i].Why)
		}
	}
	return acks, false
}
