package server

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// errQueueFull means that too many requests wait.
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

// acquire waits for a worker until ctx ends, which it does when the client disconnects. It fails
// at once with errQueueFull if too many requests wait.
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

// pause waits without using the CPU, until ctx ends at the latest.
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
