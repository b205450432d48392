package sensors

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/scanflow-k8s/scanflow/engine"
)

// staleDetector distinguishes targets whose series are too old or gone from targets that never
// had any. It queries the server for that, so that `scanflow eval`, which has no memory,
// reports the same as a daemon.
type staleDetector struct {
	staleAfter time.Duration // 0 disables the detector

	mu      sync.Mutex
	sampled time.Time                // time of the sensor's last successful sample
	absent  map[engine.TargetID]bool // targets without older samples on the server
}

// sampleFunc samples a fleet at a time, with the look-back of an API.
type sampleFunc func(ctx context.Context, api v1.API, at time.Time, fleet []engine.Target) (engine.Reading, error)

// markStale turns an Empty signal into Stale if the server has a sample that is older than
// staleAfter. If the sensor has not sampled for longer than staleAfter, it also adds the last
// values of series that have disappeared since, with up to three more queries. It sends
// queries only if there is an Empty signal that it knows nothing about. If a query fails, the
// signals stay as they are and the next sample tries again.
func (d *staleDetector) markStale(ctx context.Context, q *querier, at time.Time, fleet []engine.Target, out engine.Reading, sample sampleFunc) {
	if d.staleAfter == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.sampled.IsZero() || at.Sub(d.sampled) > d.staleAfter || at.Before(d.sampled)
	var missing []int
	unknown := first
	for i := range out {
		if out[i].State == engine.Empty {
			missing = append(missing, i)
			unknown = unknown || !d.absent[fleet[i].ID()]
		}
	}
	if len(missing) == 0 || !unknown {
		d.sampled = at
		return
	}
	if deadline, ok := ctx.Deadline(); ok { // leave time to return the result that is there already
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	found, err := sample(ctx, q.unbounded, at, fleet)
	if err != nil {
		return
	}
	for _, i := range missing {
		if s := found[i].State; s == engine.OK || s == engine.NaN {
			out[i] = engine.Signal{State: engine.Stale, Problem: fmt.Sprintf("no sample is within %s, which is staleAfter; there is an older one", d.staleAfter)}
		}
	}
	gone := slices.ContainsFunc(missing, func(i int) bool { return out[i].State == engine.Empty })
	for _, back := range []time.Duration{d.staleAfter / 4, d.staleAfter / 2, d.staleAfter / 100 * 99} {
		if !first || !gone {
			break
		}
		then, err := sample(ctx, q.api, at.Add(-back), fleet)
		if err != nil {
			return
		}
		for _, i := range missing {
			if out[i].State == engine.Empty && out[i].At.IsZero() && then[i].State == engine.OK {
				out[i].Last, out[i].At, out[i].Window = then[i].Value, then[i].At, then[i].Window
			}
		}
	}
	d.sampled, d.absent = at, make(map[engine.TargetID]bool, len(missing))
	for _, i := range missing {
		if out[i].State == engine.Empty && out[i].At.IsZero() {
			d.absent[fleet[i].ID()] = true
		}
	}
}
