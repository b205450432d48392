package server

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
)

// errQueueFull is the error when too many requests wait.
var errQueueFull = errors.New("the queue is full")

// queue assigns threads in the order of requests. A thread is represented by its scratch
// memory.
type queue struct {
	idle    chan *classifier.Scratch // a channel serves receivers in order
	threads int64
	waiting atomic.Int64
	limit   int64
	image   atomic.Int64 // the duration of one image, in nanoseconds
}

func newQueue(threads, limit int) *queue {
	return &queue{idle: make(chan *classifier.Scratch, threads), threads: int64(threads), limit: int64(limit)}
}

// acquire waits for a thread until ctx ends. It returns errQueueFull at once if too many
// requests wait.
func (q *queue) acquire(ctx context.Context) (*classifier.Scratch, error) {
	select {
	case s := <-q.idle:
		return s, nil
	default:
	}
	if q.waiting.Add(1) > q.limit {
		q.waiting.Add(-1)
		return nil, errQueueFull
	}
	defer q.waiting.Add(-1)
	select {
	case s := <-q.idle:
		if err := ctx.Err(); err != nil { // both happened at once
			q.release(s)
			return nil, err
		}
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (q *queue) release(s *classifier.Scratch) { q.idle <- s }

// full reports whether acquire would refuse a request now.
func (q *queue) full() bool { return len(q.idle) == 0 && q.waiting.Load() >= q.limit }

// took updates the moving average of the duration of an image with a thread, which
// includes waits for the CPU share.
func (q *queue) took(d time.Duration) {
	if was := q.each(); was > 0 {
		d = was + (d-was)/8
	}
	q.image.Store(int64(d))
}

// each returns the average duration of an image, or 0 before the first.
func (q *queue) each() time.Duration { return time.Duration(q.image.Load()) }

// retryAfter returns the seconds until the waiting requests are done, at least one.
func (q *queue) retryAfter() int {
	rounds := float64(q.waiting.Load()+q.threads) / float64(q.threads)
	return max(1, int(math.Ceil(q.each().Seconds()*rounds)))
}
