package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Generator sends the queries of one run.
type Generator struct {
	o           Options
	log         log
	outstanding atomic.Int64
	ran         atomic.Bool
}

// New validates the options. The error names every mistake.
func New(o Options) (*Generator, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return &Generator{o: o}, nil
}

// Run sends the queries of the scenario, waits for the last replies, and returns the
// result. It may be called once. When ctx ends, it stops sending, waits for the
// outstanding queries (each has a timeout), and returns the partial result with ctx's error.
func (g *Generator) Run(ctx context.Context) (*Result, error) {
	if !g.ran.CompareAndSwap(false, true) {
		return nil, errors.New("load: this generator has run already; make another")
	}
	poster, err := newPoster(&g.o)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if poster.transport == nil {
		own := &http.Transport{MaxIdleConns: g.o.MaxOutstanding, MaxIdleConnsPerHost: g.o.MaxOutstanding, IdleConnTimeout: time.Minute, DisableCompression: true}
		defer own.CloseIdleConnections()
		poster.transport = own
	}
	s := sender{Generator: g, poster: poster, began: time.Now()}
	g.log.start(s.began, len(g.o.Phases), g.o.Bound)
	send := s.server
	switch g.o.Scenario {
	case SingleStream, MultiStream:
		send = s.streams
	case Offline:
		send = s.offline
	}
	result, err := send(ctx)
	if why := poster.noReply.Load(); why != nil && result != nil {
		result.NoReply = *why
	}
	return result, err
}

// sender is the state of a run.
type sender struct {
	*Generator
	*poster
	began time.Time
}

// server sends each query when it is due, in its own goroutine.
func (s *sender) server(ctx context.Context) (*Result, error) {
	detached := context.WithoutCancel(ctx)
	var queries sync.WaitGroup
	elapsed, err := s.dispatch(ctx, func(n int, a Arrival) {
		if s.outstanding.Add(1) > int64(s.o.MaxOutstanding) {
			s.outstanding.Add(-1)
			now := time.Since(s.began)
			s.log.done(a, now-a.At, now, Overflow)
			return
		}
		queries.Go(func() {
			lag := time.Since(s.began) - a.At
			status := s.query(detached, n)
			s.log.done(a, lag, time.Since(s.began), status)
			s.outstanding.Add(-1)
		})
	})
	queries.Wait()
	return s.log.result(s.o.Phases, elapsed), err
}

// dispatch calls send for each arrival when it is due. It never waits for a reply.
func (s *sender) dispatch(ctx context.Context, send func(n int, a Arrival)) (time.Duration, error) {
	due := newArrivals(s.o.Phases, s.o.Seed)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		a, ok := due.next()
		if !ok {
			a.At = Total(s.o.Phases)
		}
		if wait := time.Until(s.began.Add(a.At)); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		} else {
			// The arrival is late. Let goroutines with replies release their connections first;
			// otherwise each query of the backlog opens a new one.
			runtime.Gosched()
		}
		if err := ctx.Err(); err != nil {
			return min(time.Since(s.began), Total(s.o.Phases)), stopped(n, err)
		}
		if !ok {
			return a.At, nil
		}
		s.log.due(a)
		send(n, a)
	}
}

func stopped(n int, err error) error {
	return fmt.Errorf("load: stopped after %d queries: %w", n, err)
}
