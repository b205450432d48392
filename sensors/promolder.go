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

// older tells a target whose series is too old, or gone, from one that never had any: the
// server knows, also where this process has just begun. So `scanflow eval`, which
// remembers nothing, says what a daemon says.
type older struct {
	staleAfter time.Duration // 0: age is not judged

	mu      sync.Mutex
	sampled time.Time                // when the sensor last did, successfully
	none    map[engine.TargetID]bool // the targets that the server knew nothing older of
}

// ask samples a fleet as of a moment, with the look-back that an API sends.
type ask func(ctx context.Context, api v1.API, at time.Time, fleet []engine.Target) (engine.Reading, error)

// fill makes Stale of an Empty signal of which the server has a sample that is older than
// staleAfter. Where the sensor has not sampled for that long, it adds what the values were
// that have gone since. It asks only if there is an Empty signal that it knows nothing
// of. A question that fails leaves the signals as they are, and is asked again at the
// next sample.
func (o *older) fill(ctx context.Context, q *querier, at time.Time, fleet []engine.Target, out engine.Reading, ask ask) {
	if o.staleAfter == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	first := o.sampled.IsZero() || at.Sub(o.sampled) > o.staleAfter || at.Before(o.sampled)
	var missing []int
	unknown := first
	for i := range out {
		if out[i].State == engine.Empty {
			missing = append(missing, i)
			unknown = unknown || !o.none[fleet[i].ID()]
		}
	}
	if len(missing) == 0 || !unknown {
		o.sampled = at
		return
	}
	if deadline, ok := ctx.Deadline(); ok { // the answer that is there already must not be lost with this one
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	found, err := ask(ctx, q.unbounded, at, fleet)
	if err != nil {
		return
	}
	for _, i := range missing {
		if s := found[i].State; s == engine.OK || s == engine.NaN {
			out[i] = engine.Signal{State: engine.Stale, Problem: fmt.Sprintf("no sample is within %s, which is staleAfter; there is an older one", o.staleAfter)}
		}
	}
	gone := slices.ContainsFunc(missing, func(i int) bool { return out[i].State == engine.Empty })
	for _, back := range []time.Duration{o.staleAfter / 4, o.staleAfter / 2, o.staleAfter / 100 * 99} {
		if !first || !gone {
			break
		}
		then, err := ask(ctx, q.api, at.Add(-back), fleet)
		if err != nil {
			return
		}
		for _, i := range missing {
			if out[i].State == engine.Empty && out[i].At.IsZero() && then[i].State == engine.OK {
				out[i].Last, out[i].At, out[i].Window = then[i].Value, then[i].At, then[i].Window
			}
		}
	}
	o.sampled, o.none = at, make(map[engine.TargetID]bool, len(missing))
	for _, i := range missing {
		if out[i].State == engine.Empty && out[i].At.IsZero() {
			o.none[fleet[i].ID()] = true
		}
	}
}
