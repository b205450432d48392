package share

import (
	"context"
	"sync"
	"time"
)

// Period is that of the kernel's quota: what is not used in one is not kept for later,
// and what is used beyond the share is waited for in the next ones.
const Period = 100 * time.Millisecond

// Clock tells the time, and the CPU time that the program has used until now.
type Clock struct {
	Now  func() time.Time
	Used func() time.Duration
	// Sleep waits, and gives up with an error when ctx ends.
	Sleep func(ctx context.Context, d time.Duration) error
}

// System is the real clock.
func System() Clock { return Clock{Now: time.Now, Used: ProcessTime, Sleep: sleep} }

// Quota is a program's share. Any number of goroutines may use one.
type Quota struct {
	clock Clock
	each  time.Duration // of CPU time in each period; 0 is no bound
	began time.Time

	mu     sync.Mutex
	period int64         // the number of the last one that was granted
	used   time.Duration // what was accounted for
	left   time.Duration // of the share; below 0 is what was used beyond it
}

// New begins to account at once. What the program has used before is forgotten.
func New(s Share, c Clock) *Quota {
	q := &Quota{clock: c, each: Period * time.Duration(s) / 1000, began: c.Now(), used: c.Used()}
	q.left = q.each
	return q
}

// Pause returns when the program may go on, or ctx ends. Call it before work begins, so
// that the time without work ends there, and after each piece: what a piece uses beyond
// the share is accounted for only afterwards.
func (q *Quota) Pause(ctx context.Context) error {
	for {
		wait := q.settle()
		if wait <= 0 {
			return ctx.Err()
		}
		if err := q.clock.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// settle accounts for what was used and granted since the last call, and says how long
// to wait for the period in which there is some left.
func (q *Quota) settle() time.Duration {
	if q.each == 0 {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	used, passed := q.clock.Used(), q.clock.Now().Sub(q.began)
	period := int64(passed / Period)
	q.left -= used - q.used
	q.left = min(q.left+time.Duration(period-q.period)*q.each, q.each)
	q.used, q.period = used, period
	if q.left > 0 {
		return 0
	}
	ahead := 1 + int64(-q.left/q.each)
	return time.Duration(period+ahead)*Period - passed
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
