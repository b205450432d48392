package share

import (
	"context"
	"sync"
	"time"
)

// Period is the period of the kernel's quota. Time that is not used in a period is lost,
// and time beyond the share is subtracted from the next periods.
const Period = 100 * time.Millisecond

// Clock provides the time and the CPU time of the program.
type Clock struct {
	Now  func() time.Time
	Used func() time.Duration
	// Sleep waits. It returns an error when ctx ends.
	Sleep func(ctx context.Context, d time.Duration) error
}

// System returns the clock of the machine.
func System() Clock { return Clock{Now: time.Now, Used: ProcessTime, Sleep: sleep} }

// Quota enforces a program's share. It is safe for concurrent use.
type Quota struct {
	clock Clock
	each  time.Duration // CPU time per period; 0 means no limit
	began time.Time

	mu     sync.Mutex
	period int64         // the number of the last granted period
	used   time.Duration // the accounted CPU time
	left   time.Duration // of the share; negative if overused
}

// New returns a quota that accounts from now on. Earlier CPU time does not count.
func New(s Share, c Clock) *Quota {
	q := &Quota{clock: c, each: Period * time.Duration(s) / 1000, began: c.Now(), used: c.Used()}
	q.left = q.each
	return q
}

// Pause returns when the program may continue, or when ctx ends. Call it before the work
// begins, to end an idle time, and after each piece of work: overuse by a piece is
// accounted for afterwards.
func (q *Quota) Pause(ctx context.Context) error {
	for {
		wait := q.account()
		if wait <= 0 {
			return ctx.Err()
		}
		if err := q.clock.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// account updates the used and granted time since the last call and returns the wait
// until the next period with time left.
func (q *Quota) account() time.Duration {
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
