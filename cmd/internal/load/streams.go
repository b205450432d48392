package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// streams sends a query when the previous one has ended, for the duration. Each is due
// when it is sent.
func (s *sender) streams(ctx context.Context) (*Result, error) {
	detached := context.WithoutCancel(ctx)
	for n := 0; ; n++ {
		at := time.Since(s.began)
		if err := ctx.Err(); err != nil {
			return s.log.result(s.o.Phases, min(at, s.o.Duration)), stopped(n, err)
		}
		if at >= s.o.Duration {
			return s.log.result(s.o.Phases, s.o.Duration), nil
		}
		a := Arrival{At: at}
		s.log.due(a)
		status := s.samples(detached, n)
		s.log.done(a, 0, time.Since(s.began), status)
	}
}

// samples sends the samples of the n-th query at once and waits for all of them. It
// returns the status of the first that failed.
func (s *sender) samples(ctx context.Context, n int) Status {
	s.outstanding.Store(int64(s.o.Samples))
	defer s.outstanding.Store(0)
	if s.o.Samples == 1 {
		return s.query(ctx, n)
	}
	statuses := make([]Status, s.o.Samples)
	var all sync.WaitGroup
	for i := range statuses {
		all.Go(func() { statuses[i] = s.query(ctx, n*s.o.Samples+i) })
	}
	all.Wait()
	for _, status := range statuses {
		if !status.OK() {
			return status
		}
	}
	return statuses[0]
}

// offline sends all samples with a limited concurrency. All are due at the start.
func (s *sender) offline(ctx context.Context) (*Result, error) {
	detached := context.WithoutCancel(ctx)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(s.o.Concurrency, s.o.Samples) {
		workers.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= s.o.Samples {
					return
				}
				s.log.due(Arrival{})
				s.outstanding.Add(1)
				status := s.query(detached, n)
				s.outstanding.Add(-1)
				s.log.done(Arrival{}, 0, time.Since(s.began), status)
			}
		})
	}
	workers.Wait()
	elapsed := max(time.Since(s.began), 1)
	sent := min(int(next.Load()), s.o.Samples)
	result := s.log.result([]Phase{{Name: string(Offline), Duration: elapsed}}, elapsed)
	if result.Total.Count < s.o.Samples {
		return result, stopped(sent, ctx.Err())
	}
	return result, nil
}
