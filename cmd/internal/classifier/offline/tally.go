package offline

import "sync"

// tally hands out samples in their order, and knows how far they are worked.
type tally struct {
	mu     sync.Mutex
	next   int
	of     int
	prefix int // all before it are worked
	beyond map[int]bool
	count  int // worked in this run
}

func newTally(from, of int) *tally {
	return &tally{next: from, prefix: from, of: of, beyond: map[int]bool{}}
}

func (t *tally) take() (i int, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next >= t.of {
		return 0, false
	}
	t.next++
	return t.next - 1, true
}

func (t *tally) worked(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	t.beyond[i] = true
	for t.beyond[t.prefix] {
		delete(t.beyond, t.prefix)
		t.prefix++
	}
}

// done is how many are worked without a gap, and how many this run has worked.
func (t *tally) done() (prefix, count int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.prefix, t.count
}
