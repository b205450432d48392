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
		if lane := h.outbox.lanes[laneKey{Destination{l.To, l.Agent}, l.Event.Source}]; lane != nil && lane.err != nil {
			l.Why = Clip(lane.err.Error())
		}
	}
	return letters, err
}
