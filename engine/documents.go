package engine

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
)

// documentsAtOnce is how many agents are asked for their documents at a time.
const documentsAtOnce = 32

// Documents are the newest documents of each agent that comes to the end of its turn
// before the context ends, at most 50 an agent, as JSON: what policies can be tried on
// before they are live.
func (h *Host) Documents(ctx context.Context) map[string][]json.RawMessage {
	h.mu.Lock()
	var agents []*agent
	for _, r := range h.agents {
		agents = append(agents, r.agent)
	}
	h.mu.Unlock()
	out := map[string][]json.RawMessage{}
	var mu sync.Mutex
	parallel(documentsAtOnce, len(agents), func(i int) {
		answer := make(chan []json.RawMessage, 1)
		select {
		case agents[i].shown <- answer:
			docs := <-answer
			mu.Lock()
			defer mu.Unlock()
			out[agents[i].name] = docs
		case <-ctx.Done():
		}
	})
	return out
}

// show answers with the agent's documents. It is called between its turns.
func (a *agent) show(answer chan<- []json.RawMessage) {
	answer <- documentsOf(slices.Collect(maps.Values(a.slots)))
}
