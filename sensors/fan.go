package sensors

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// atOnce is how many applications are asked at the same time.
	atOnce = 32
	// longestAsk bounds one application where the manifest doesn't.
	longestAsk = 2 * time.Second
)

var errNotAsked = errors.New("not asked: the time was up before its turn")

// fan asks many applications, each within its own time, so that one that hangs
// keeps only its own signal. The ones that ran out of time are asked last the
// next time.
type fan struct {
	timeout time.Duration // of one ask; 0 is longestAsk

	mu   sync.Mutex
	late map[string]bool // by key
}

// run calls ask for each key, at most atOnce together, and returns their errors.
// It waits for all that it started, and returns a little before ctx ends, so that
// the answers of the others are not lost with the late ones.
func (f *fan) run(ctx context.Context, keys []string, ask func(ctx context.Context, i int) error) []error {
	timeout := f.timeout
	if timeout == 0 {
		timeout = longestAsk
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left-left/20)
		defer cancel()
		if f.timeout == 0 {
			timeout = min(timeout, left/2)
		}
	}

	errs := make([]error, len(keys))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(atOnce, len(keys)) {
		workers.Go(func() {
			for i := range next {
				if ctx.Err() != nil {
					errs[i] = errNotAsked
					continue
				}
				one, cancel := context.WithTimeout(ctx, timeout)
				errs[i] = ask(one, i)
				cancel()
			}
		})
	}
	for _, i := range f.order(keys) {
		next <- i
	}
	close(next)
	workers.Wait()
	f.remember(keys, errs)
	return errs
}

func (f *fan) order(keys []string) []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	order := make([]int, 0, len(keys))
	for _, late := range []bool{false, true} {
		for i, key := range keys {
			if f.late[key] == late {
				order = append(order, i)
			}
		}
	}
	return order
}

func (f *fan) remember(keys []string, errs []error) {
	late := map[string]bool{}
	for i, err := range errs {
		if errors.Is(err, context.DeadlineExceeded) {
			late[keys[i]] = true
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, err := range errs { // one that wasn't asked is as it was
		if errors.Is(err, errNotAsked) && f.late[keys[i]] {
			late[keys[i]] = true
		}
	}
	f.late = late
}
