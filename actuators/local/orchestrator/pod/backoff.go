package pod

import (
	"time"

	"github.com/scanflow-k8s/scanflow/engine/backoff"
)

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
	return backoff.Exponential{First: b.base, Most: maxBackOff}.After(b.tries - 1)
}
