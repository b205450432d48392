package pod

import (
	"time"

	"github.com/scanflow-k8s/scanflow/engine/backoff"
)

const (
	maxBackOff = 5 * time.Minute
	// backOffReset is the running time of a process after which the schedule starts over.
	backOffReset = 10 * time.Minute
)

// restartBackOff is the restart schedule of the kubelet: the first restart is immediate,
// the second waits for base, and each further wait doubles up to maxBackOff. A process
// that ran for backOffReset starts the schedule over.
type restartBackOff struct {
	base  time.Duration
	tries int
}

// next returns the wait before the next restart of a process that ran for ran.
func (b *restartBackOff) next(ran time.Duration) time.Duration {
	if ran >= backOffReset {
		b.tries = 0
	}
	b.tries++
	return backoff.Exponential{First: b.base, Most: maxBackOff}.After(b.tries - 1)
}
