package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// retentionFlags bound what the journal keeps of the past.
type retentionFlags struct {
	age  time.Duration
	size string
}

// The least that may be kept: an agent's guards look at the past.
const (
	leastAge  = time.Hour
	leastSize = 16 << 20
)

func (o *retentionFlags) add(f *pflag.FlagSet) {
	f.DurationVar(&o.age, "retention", journal.DefaultMaxAge, "how long the journal keeps decisions; what guards and agents need is kept for longer")
	f.StringVar(&o.size, "retention-size", "1Gi", "size at which the journal forgets the oldest decisions before their time: 200Mi, 10Gi")
}

// check returns the size in bytes.
func (o *retentionFlags) check() (int64, error) {
	if o.age < leastAge {
		return 0, fmt.Errorf("--retention: %s is less than %s", o.age, leastAge)
	}
	q, err := resource.ParseQuantity(o.size)
	if err != nil {
		return 0, fmt.Errorf("--retention-size: %q is no size; write it as 200Mi or 10Gi", o.size)
	}
	if bytes := q.Value(); bytes >= leastSize {
		return bytes, nil
	}
	return 0, fmt.Errorf("--retention-size: %s is less than 16Mi", o.size)
}
