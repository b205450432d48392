package engine

import "context"

// Letters lists what waits and what is dead, as the journal does, and says of what waits in
// the outbox why: what its lane met when it was last tried.
func (h *Host) Letters(ctx context.Context, agent string, limit int) ([]Letter, error) {
	letters, err := h.Journal.Letters(ctx, agent, limit)
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	for i := range letters {
		l := &letters[i]
		if l.Box != BoxOutbox {
			continue
		}
		k := laneKey{Destination{l.To, l.Agent}, l.Event.Source}
		if off := h.outbox.putOff(k, h.outbox.lanes[k]); off.why != nil {
			l.Why = Clip(off.why.Error())
		}
	}
	return letters, err
}
