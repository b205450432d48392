package offline

import "sync"

// tally assigns samples in order and tracks which are complete.
type tally struct {
	mu     sync.Mutex
	next   int
	of     int
	prefix int // all samples before it are complete
	beyond map[int]bool
	count  int // completed in this run
}

func newTally(from, of int) *tally {
	return &tally{next: from, prefix: from, of: of, beyond: map[int]bool{}}
}

func (t *tally) assign() (i int, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next >= t.of {
		return 0, false
	}
	t.next++
	return t.next - 1, true
}

func (t *tally) complete(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	t.beyond[i] = true
	for t.beyond[t.prefix] {
		delete(t.beyond, t.prefix)
		t.prefix++
	}
}

// done returns the number of samples that are complete without a gap, and the number that
// this run has completed.
func (t *tally) done() (prefix, count int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.prefix, t.count
}
