package server

import "sync"

// turns bounds how many requests of one sender are read and taken at once, and with
// them the memory that they hold: a sender that is slow is slow to itself alone.
type turns struct {
	most int

	mu   sync.Mutex
	held map[string]int // by sender
}

func newTurns(most int) *turns { return &turns{most: most, held: map[string]int{}} }

// take is false where the sender has as many as it may; otherwise it gives one back
// later.
func (t *turns) take(sender string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[sender] >= t.most {
		return false
	}
	t.held[sender]++
	return true
}

func (t *turns) giveBack(sender string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[sender]--; t.held[sender] == 0 {
		delete(t.held, sender)
	}
}
