package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// capacityTime is how long one replica's capacity is measured, at any speed.
const capacityTime = 12 * time.Second

// capacity measures how many requests a second one replica of a study answers that is
// never without one. Nothing scales it meanwhile: the agents look on, and an autoscaler
// has no metric there.
func capacity(ctx context.Context, o *Options, s *screen, about *study) (_ float64, err error) {
	tb, err := openTestbed(ctx, o, s, about, filepath.Join(o.Dir, "capacity"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, tb.close(ctx)) }()
	each, err := tb.saturation(ctx, 4, capacityTime)
	if err == nil && each == 0 {
		err = fmt.Errorf("one replica answered nothing within %s", capacityTime)
	}
	if err == nil {
		s.printf("  one replica, with 0.1 of a core, answers %s images a second (4 clients, %s)", s.title(fmt.Sprintf("%.2f", each)), capacityTime)
	}
	return each, err
}
