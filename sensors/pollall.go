package sensors

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxConcurrentPolls bounds the concurrent requests of one sensor.
	maxConcurrentPolls = 32
	// defaultPollTimeout bounds one request if the manifest sets no timeout.
	defaultPollTimeout = 2 * time.Second
)

var errNotPolled = errors.New("not asked: the time was up before its turn")

// poller sends one request per key, each with its own timeout, so that a server that hangs
// affects only its own signal. Keys that timed out go last the next time.
type poller struct {
	timeout time.Duration // of one request; 0 means defaultPollTimeout

	mu       sync.Mutex
	timedOut map[string]bool // by key
}

// pollAll calls poll for each key, with at most maxConcurrentPolls calls at a time, and
// returns the error of each. It waits for all the calls that it started. It returns slightly
// before ctx ends, so that the results that did arrive are not lost.
func (p *poller) pollAll(ctx context.Context, keys []string, poll func(ctx context.Context, i int) error) []error {
	timeout := p.timeout
	if timeout == 0 {
		timeout = defaultPollTimeout
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left-left/20)
		defer cancel()
		if p.timeout == 0 {
			timeout = min(timeout, left/2)
		}
	}

	errs := make([]error, len(keys))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(maxConcurrentPolls, len(keys)) {
		workers.Go(func() {
			for i := range next {
				if ctx.Err() != nil {
					errs[i] = errNotPolled
					continue
				}
				one, cancel := context.WithTimeout(ctx, timeout)
				errs[i] = poll(one, i)
				cancel()
			}
		})
	}
	for _, i := range p.timedOutLast(keys) {
		next <- i
	}
	close(next)
	workers.Wait()
	p.recordTimeouts(keys, errs)
	return errs
}

// timedOutLast returns the indexes of the keys, those that timed out the last time at the end.
func (p *poller) timedOutLast(keys []string) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	order := make([]int, 0, len(keys))
	for _, timedOut := range []bool{false, true} {
		for i, key := range keys {
			if p.timedOut[key] == timedOut {
				order = append(order, i)
			}
		}
	}
	return order
}

func (p *poller) recordTimeouts(keys []string, errs []error) {
	timedOut := map[string]bool{}
	for i, err := range errs {
		if errors.Is(err, context.DeadlineExceeded) {
			timedOut[keys[i]] = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, err := range errs { // a key that was not polled keeps its state
		if errors.Is(err, errNotPolled) && p.timedOut[keys[i]] {
			timedOut[keys[i]] = true
		}
	}
	p.timedOut = timedOut
}
