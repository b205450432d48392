package pod

import "time"

const (
	maxBackOff = 5 * time.Minute
	// A process that ran this long is taken to be well again.
	backOffReset = 10 * time.Minute
)

// backOff spaces out the restarts of a process as the kubelet does: the first at
// once, the next after base, then twice that each time, at most 5 min; afresh
// once the process has run for 10 min.
type backOff struct {
	base  time.Duration
	tries int
}

// next is the wait before the coming restart, given how long the process ran.
func (b *backOff) next(ran time.Duration) time.Duration {
	if ran >= backOffReset {
		b.tries = 0
	}
	b.tries++
	if b.tries == 1 {
		return 0
	}
	d := b.base
	for range b.tries - 2 {
		if d *= 2; d >= maxBackOff {
			break
		}
	}
	return min(d, maxBackOff)
}
