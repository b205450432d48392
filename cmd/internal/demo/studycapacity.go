package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// capacityTime is the duration of the measurement, at any speed.
const capacityTime = 12 * time.Second

// measureCapacity measures the requests per second that one replica of a study answers at
// saturation. Nothing scales it during the measurement: the agents are paused, and an
// autoscaler has no metric.
func measureCapacity(ctx context.Context, o *Options, s *screen, about *study) (_ float64, err error) {
	tb, err := openTestbed(ctx, o, s, about, filepath.Join(o.Dir, "capacity"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, tb.close(ctx)) }()
	each, err := tb.throughput(ctx, 4, capacityTime)
	if err == nil && each == 0 {
		err = fmt.Errorf("one replica answered nothing within %s", capacityTime)
	}
	if err == nil {
		s.printf("  one replica, with 0.1 of a core, answers %s images a second (4 clients, %s)", s.title(fmt.Sprintf("%.2f", each)), capacityTime)
	}
	return each, err
}
