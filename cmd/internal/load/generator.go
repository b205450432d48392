package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Generator sends one run of queries.
type Generator struct {
	o           Options
	log         log
	outstanding atomic.Int64
	ran         atomic.Bool
}

// New checks the options, and names every mistake in them.
func New(o Options) (*Generator, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return &Generator{o: o}, nil
}

// Run sends the queries of all phases, waits for the last replies, and reports. It
// may be called once. When ctx ends first, it sends no more, waits for the queries
// under way (each is bounded by its timeout), and returns what there is with ctx's
// error.
func (g *Generator) Run(ctx context.Context) (*Result, error) {
	if !g.ran.CompareAndSwap(false, true) {
		return nil, errors.New("load: this generator has run already; make another")
	}
	client := &http.Client{Transport: g.o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if client.Transport == nil {
		own := &http.Transport{MaxIdleConns: g.o.MaxOutstanding, MaxIdleConnsPerHost: g.o.MaxOutstanding, IdleConnTimeout: time.Minute, DisableCompression: true}
		defer own.CloseIdleConnections()
		client.Transport = own
	}
	began := time.Now()
	g.log.start(began)
	var queries sync.WaitGroup
	elapsed, err := g.dispatch(ctx, began, func(n int, a Arrival) {
		if g.outstanding.Add(1) > int64(g.o.MaxOutstanding) {
			g.outstanding.Add(-1)
			g.log.done(a, time.Since(began), Overflow)
			return
		}
		queries.Go(func() {
			status := g.query(context.WithoutCancel(ctx), client, n)
			g.log.done(a, time.Since(began), status)
			g.outstanding.Add(-1)
		})
	})
	queries.Wait()
	return g.log.result(g.o.Phases, elapsed), err
}

// dispatch calls send for each arrival when it is due, and never waits for a reply.
func (g *Generator) dispatch(ctx context.Context, began time.Time, send func(n int, a Arrival)) (time.Duration, error) {
	due := newArrivals(g.o.Phases, g.o.Seed)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		a, ok := due.next()
		if !ok {
			a.At = Total(g.o.Phases)
		}
		if wait := time.Until(began.Add(a.At)); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if err := ctx.Err(); err != nil {
			return min(time.Since(began), Total(g.o.Phases)), fmt.Errorf("load: stopped after %d queries: %w", n, err)
		}
		if !ok {
			return a.At, nil
		}
		g.log.due(a, time.Since(began))
		send(n, a)
	}
}
