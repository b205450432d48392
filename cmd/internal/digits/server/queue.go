package server

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// errQueueFull says that too many requests wait already.
var errQueueFull = errors.New("the queue is full")

// queue hands out workers, first come first served.
type queue struct {
	workers chan struct{} // a channel serves its senders in the order in which they came
	waiting atomic.Int64
	limit   int64
}

func newQueue(workers, limit int) *queue {
	return &queue{workers: make(chan struct{}, workers), limit: int64(limit)}
}

// acquire waits for a worker. It gives up when ctx ends, which it does when the
// client goes away, and at once with errQueueFull when too many wait already.
func (q *queue) acquire(ctx context.Context) error {
	select {
	case q.workers <- struct{}{}:
		return nil
	default:
	}
	if q.waiting.Add(1) > q.limit {
		q.waiting.Add(-1)
		return errQueueFull
	}
	defer q.waiting.Add(-1)
	select {
	case q.workers <- struct{}{}:
		if err := ctx.Err(); err != nil { // both came at once: don't work for nobody
			q.release()
			return err
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue) release() { <-q.workers }

// pause waits without using the CPU. It is cut short only by ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
