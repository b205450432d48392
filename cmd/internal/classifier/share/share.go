package share

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Share is so many thousandths of a core. Zero is no bound.
type Share int64

// Set reads a quantity as Kubernetes writes those of CPU: 150m, 0.15, 1.
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

// Type names it in a flag's help.
func (s *Share) Type() string { return "quantity" }

// Cores is the share in cores.
func (s Share) Cores() float64 { return float64(s) / 1000 }
