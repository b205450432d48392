package sensors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/engine"
)

// heed is what a server does with the parameter lookback_delta, on which staleAfter rests:
// Prometheus and Thanos heed it, and others ignore it without a word.
type heed string

const (
	heeds   heed = "heeded"
	ignores heed = "ignored"
	unknown heed = "unknown" // the server has no series `up` to tell by
)

// briefest is the look-back with which a server that heeds it finds next to no sample.
const briefest = time.Millisecond

// Lookbacks remember what each server does with the look-back, so that each is asked once
// and not once a sensor.
type Lookbacks struct {
	mu sync.Mutex
	by map[string]*lookback
}

// NewLookbacks remembers nothing yet.
func NewLookbacks() *Lookbacks { return &Lookbacks{by: map[string]*lookback{}} }

// lookback is of one server, as one client is known to it.
type lookback struct {
	turn chan struct{} // held by whoever asks, and reads or changes what follows
	// found is what the server does; "" before it was asked, or where it has not answered.
	found heed
	at    time.Time
	said  string
}

func (l *Lookbacks) of(key string) *lookback {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[key] == nil {
		l.by[key] = &lookback{turn: make(chan struct{}, 1)}
	}
	return l.by[key]
}

// soon is how long it stays unknown, before the server is asked again.
const soon = time.Minute

// find is what the server does with the look-back, "" where that can't be known now. It
// asks where nothing is known from later than since. Those who come meanwhile wait for the
// answer, and don't ask anew. What it finds is logged once.
func (l *lookback) find(ctx context.Context, at, since time.Time, q *querier) heed {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ""
	}
	settled := l.found == heeds || l.found == ignores
	recent := at.Sub(l.at) < soon && !at.Before(l.at)
	if l.at.After(since) && (settled || recent) {
		return l.found
	}
	found, err := q.server.heed(ctx, at)
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) { // a stop, which is no answer
		return ""
	}
	l.found, l.at = found, at
	if says := fmt.Sprint(found, err); says != l.said {
		l.said = says
		l.log(q, err)
	}
	return found
}

func (l *lookback) log(q *querier, err error) {
	where := []any{"address", place(q.server.base)}
	switch {
	case err != nil:
		q.log.Warn("it is not known whether the server heeds lookback_delta, on which staleAfter rests", append(where, "error", q.fault(err))...)
	case l.found == heeds:
		q.log.Info("the server heeds lookback_delta, on which staleAfter rests", where...)
	case l.found == ignores:
		q.log.Warn("the server ignores lookback_delta, so staleAfter has no effect there", where...)
	default:
		q.log.Warn("it is not known whether the server heeds lookback_delta, on which staleAfter rests: it has no series up to tell by", where...)
	}
}

// heed asks for the series `up` with a look-back of 1ms and without any. A server that
// heeds it has fewer with: those alone that were scraped in that very millisecond.
func (s *server) heed(ctx context.Context, at time.Time) (heed, error) {
	var counts [2]int
	for i, lookback := range []time.Duration{0, briefest} {
		answer, _, _, err := v1.NewAPI(s.with(lookback)).Query(ctx, "up", at, inTime(ctx)...)
		if err != nil {
			return "", err
		}
		vector, is := answer.(model.Vector)
		if !is {
			return "", errIncomplete
		}
		if counts[i] = len(vector); counts[0] == 0 {
			return unknown, nil
		}
	}
	if counts[1] < counts[0] {
		return heeds, nil
	}
	return ignores, nil
}

// doubt says that staleAfter has no effect where the server ignores the look-back.
func (q *querier) doubt(ctx context.Context, at, since time.Time) (problem string, known bool) {
	if q.server.lookback == 0 {
		return "", true
	}
	switch q.lookback.find(ctx, at, since, q) {
	case heeds:
		return "", true
	case ignores:
		return fmt.Sprintf("staleAfter has no effect: %s ignores lookback_delta, as servers other than Prometheus and Thanos may, so a value can be as old as the server's own look-back; "+
			"put the bound into the query, like X and (time() - timestamp(X) < %g), or make the server's look-back shorter", place(q.server.base), q.server.lookback.Seconds()), true
	}
	return "", false
}

var _, _ engine.Doubter = (*prometheusSensor)(nil), (*driftSensor)(nil)
