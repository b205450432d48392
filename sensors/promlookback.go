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

// lookbackSupport is a server's treatment of the parameter lookback_delta, which staleAfter
// depends on. Prometheus and Thanos honor it; other servers ignore it silently.
type lookbackSupport string

const (
	lookbackSupported lookbackSupport = "heeded"
	lookbackIgnored   lookbackSupport = "ignored"
	lookbackUnknown   lookbackSupport = "unknown" // the server has no series `up` to probe
)

// probeLookback is so short that a server that honors it finds almost no sample.
const probeLookback = time.Millisecond

// Lookbacks caches the look-back support of each server, so that a server is probed once for
// all sensors.
type Lookbacks struct {
	mu sync.Mutex
	by map[string]*serverLookback
}

// NewLookbacks returns an empty cache.
func NewLookbacks() *Lookbacks { return &Lookbacks{by: map[string]*serverLookback{}} }

// serverLookback is the support of one server with one access.
type serverLookback struct {
	sem chan struct{} // held while probing, and while accessing the fields below
	// support is "" before the first probe, and if the probe failed.
	support lookbackSupport
	at      time.Time
	logged  string
}

func (l *Lookbacks) of(key string) *serverLookback {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[key] == nil {
		l.by[key] = &serverLookback{sem: make(chan struct{}, 1)}
	}
	return l.by[key]
}

// reprobeAfter is the time for which an unknown support is cached.
const reprobeAfter = time.Minute

// detect returns the server's support, or "" if it can't be determined now. It probes the
// server unless a result from after since is cached. Concurrent callers wait for the same
// probe. A new result is logged once.
func (l *serverLookback) detect(ctx context.Context, at, since time.Time, q *querier) lookbackSupport {
	select {
	case l.sem <- struct{}{}:
		defer func() { <-l.sem }()
	case <-ctx.Done():
		return ""
	}
	known := l.support == lookbackSupported || l.support == lookbackIgnored
	recent := at.Sub(l.at) < reprobeAfter && !at.Before(l.at)
	if l.at.After(since) && (known || recent) {
		return l.support
	}
	found, err := q.server.probeLookback(ctx, at)
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) { // the process is stopping; the server's support stays unknown
		return ""
	}
	l.support, l.at = found, at
	if says := fmt.Sprint(found, err); says != l.logged {
		l.logged = says
		l.log(q, err)
	}
	return found
}

func (l *serverLookback) log(q *querier, err error) {
	where := []any{"address", redactedURL(q.server.base)}
	switch {
	case err != nil:
		q.log.Warn("it is not known whether the server heeds lookback_delta, on which staleAfter rests", append(where, "error", q.queryError(err))...)
	case l.support == lookbackSupported:
		q.log.Info("the server heeds lookback_delta, on which staleAfter rests", where...)
	case l.support == lookbackIgnored:
		q.log.Warn("the server ignores lookback_delta, so staleAfter has no effect there", where...)
	default:
		q.log.Warn("it is not known whether the server heeds lookback_delta, on which staleAfter rests: it has no series up to tell by", where...)
	}
}

// probeLookback queries the series `up` with the default look-back and with one of 1ms. A
// server that honors the parameter returns fewer series with the latter: only those that were
// scraped within that millisecond.
func (s *prometheusAPI) probeLookback(ctx context.Context, at time.Time) (lookbackSupport, error) {
	var counts [2]int
	for i, lookback := range []time.Duration{0, probeLookback} {
		answer, _, _, err := v1.NewAPI(s.withLookback(lookback)).Query(ctx, "up", at, timeoutOption(ctx)...)
		if err != nil {
			return "", err
		}
		vector, is := answer.(model.Vector)
		if !is {
			return "", errIncomplete
		}
		if counts[i] = len(vector); counts[0] == 0 {
			return lookbackUnknown, nil
		}
	}
	if counts[1] < counts[0] {
		return lookbackSupported, nil
	}
	return lookbackIgnored, nil
}

// lookbackProblem describes that staleAfter has no effect if the server ignores the look-back.
func (q *querier) lookbackProblem(ctx context.Context, at, since time.Time) (problem string, known bool) {
	if q.server.lookback == 0 {
		return "", true
	}
	switch q.lookback.detect(ctx, at, since, q) {
	case lookbackSupported:
		return "", true
	case lookbackIgnored:
		return fmt.Sprintf("staleAfter has no effect: %s ignores lookback_delta, as servers other than Prometheus and Thanos may, so a value can be as old as the server's own look-back; "+
			"put the bound into the query, like X and (time() - timestamp(X) < %g), or make the server's look-back shorter", redactedURL(q.server.base), q.server.lookback.Seconds()), true
	}
	return "", false
}

var _, _ engine.Doubter = (*prometheusSensor)(nil), (*driftSensor)(nil)
