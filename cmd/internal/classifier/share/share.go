package share

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Share is a share of the CPU in thousandths of a core. Zero means no limit.
type Share int64

// Set parses a CPU quantity of Kubernetes: 150m, 0.15, 1.
func (s *Share) Set(text string) error {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return fmt.Errorf("%q is no quantity of CPU; write it as 150m, 0.15 or 1", text)
	}
	if q.Sign() <= 0 {
		return errors.New("a share of the CPU is above 0, as 150m, 0.15 or 1; leave it away for no bound")
	}
	if exact := resource.NewMilliQuantity(q.MilliValue(), resource.DecimalSI); exact.Cmp(q) != 0 || q.Cmp(resource.MustParse("1000")) > 0 {
		return fmt.Errorf("%q is not a whole number of thousandths of a core up to 1000 cores", text)
	}
	*s = Share(q.MilliValue())
	return nil
}

func (s *Share) String() string {
	if *s == 0 {
		return ""
	}
	return resource.NewMilliQuantity(int64(*s), resource.DecimalSI).String()
}

// Type is the type's name in the help of a flag.
func (s *Share) Type() string { return "quantity" }

// Cores returns the share in cores.
func (s Share) Cores() float64 { return float64(s) / 1000 }
