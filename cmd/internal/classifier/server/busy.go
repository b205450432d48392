package server

import (
	"sync"
	"time"
)

// busy sums the CPU time of the process while it classified images.
type busy struct {
	used func() time.Duration

	mu    sync.Mutex
	work  int
	since time.Duration // the CPU time when the first of them began
	sum   time.Duration
}

func (b *busy) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.work++; b.work == 1 {
		b.since = b.used()
	}
}

func (b *busy) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.work--; b.work == 0 {
		b.sum += b.used() - b.since
	}
}

// seconds returns the CPU time including the current images.
func (b *busy) seconds() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := b.sum
	if b.work > 0 {
		sum += b.used() - b.since
	}
	return sum.Seconds()
}
