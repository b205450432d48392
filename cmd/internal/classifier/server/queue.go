package server

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
)

// errQueueFull says that too many requests wait already.
var errQueueFull = errors.New("the queue is full")

// queue hands out threads, first come first served. A thread is the memory that it
// works in.
type queue struct {
	idle    chan *classifier.Scratch // a channel serves its receivers in the order in which they came
	threads int64
	waiting atomic.Int64
	limit   int64
	image   atomic.Int64 // how long one takes, in nanoseconds
}

func newQueue(threads, limit int) *queue {
	return &queue{idle: make(chan *classifier.Scratch, threads), threads: int64(threads), limit: int64(limit)}
}

// acquire waits for a thread. It gives up when ctx ends, and at once with errQueueFull
// when too many wait already.
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
		if err := ctx.Err(); err != nil { // both came at once: don't work for nobody
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

// took has the time of an image follow how long the latest ones took, from the moment
// when they had a thread: the share of the CPU is in it.
func (q *queue) took(d time.Duration) {
	if was := q.each(); was > 0 {
		d = was + (d-was)/8
	}
	q.image.Store(int64(d))
}

// each is how long an image takes; 0 as long as none has been classified.
func (q *queue) each() time.Duration { return time.Duration(q.image.Load()) }

// retryAfter is in how many seconds those that wait now will have been worked, at least
// one.
func (q *queue) retryAfter() int {
	rounds := float64(q.waiting.Load()+q.threads) / float64(q.threads)
	return max(1, int(math.Ceil(q.each().Seconds()*rounds)))
}
