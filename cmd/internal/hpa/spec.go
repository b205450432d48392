package hpa

import (
	"errors"
	"fmt"
	"time"
)

// Spec is the supported part of a HorizontalPodAutoscaler's spec.
type Spec struct {
	Min, Max    int
	TargetMilli int64     // averageValue, in thousandths
	Behavior    *Behavior // nil: without a behavior, which has its own limits
}

// Behavior limits the changes of the size, by direction.
type Behavior struct {
	ScaleUp   Rules
	ScaleDown Rules
}

// Rules are the scaling rules of one direction. Unset fields have the API's defaults: no
// window up, 300 s down; 4 pods or 100% in 15 s up, whichever is more, and 100% in 15 s
// down.
type Rules struct {
	Window   *time.Duration // stabilizationWindowSeconds
	Select   Select
	Policies []Policy
}

// Select is the selectPolicy. The zero value is SelectMax.
type Select string

const (
	SelectMax      Select = "Max"
	SelectMin      Select = "Min"
	SelectDisabled Select = "Disabled"
)

// Policy limits the change within a period.
type Policy struct {
	Percent bool // of the replicas at the period's start; otherwise a number of pods
	Value   int
	Period  time.Duration
}

// Tolerance bounds the deviation from 1 of the ratio of usage to target that causes no change.
// It is the default of --horizontal-pod-autoscaler-tolerance.
const Tolerance = 0.1

// DownscaleWindow is the default of --horizontal-pod-autoscaler-downscale-stabilization.
const DownscaleWindow = 5 * time.Minute

// The API's bounds (HPAScalingRules and HPAScalingPolicy in autoscaling/v2).
const (
	longestWindow = time.Hour
	longestPeriod = 30 * time.Minute
)

func (s Spec) validate() error {
	var faults []error
	if s.Min < 1 {
		faults = append(faults, fmt.Errorf("min: %d is not allowed: set 1 or more", s.Min))
	}
	if s.Max < s.Min {
		faults = append(faults, fmt.Errorf("max: %d is less than min, %d", s.Max, s.Min))
	}
	if s.TargetMilli < 1 {
		faults = append(faults, fmt.Errorf("target: %d thousandths is not allowed: set more than 0", s.TargetMilli))
	}
	if s.Behavior != nil {
		faults = append(faults, s.Behavior.ScaleUp.validate("scaleUp"), s.Behavior.ScaleDown.validate("scaleDown"))
	}
	return errors.Join(faults...)
}

func (r Rules) validate(field string) error {
	var faults []error
	if r.Window != nil && (*r.Window < 0 || *r.Window > longestWindow || *r.Window%time.Second != 0) {
		faults = append(faults, fmt.Errorf("%s.window: %v is not allowed: set whole seconds from 0s to %v", field, *r.Window, longestWindow))
	}
	switch r.Select {
	case "", SelectMax, SelectMin, SelectDisabled:
	default:
		faults = append(faults, fmt.Errorf("%s.select: %q is not allowed: set %s, %s or %s", field, r.Select, SelectMax, SelectMin, SelectDisabled))
	}
	if r.Policies != nil && len(r.Policies) == 0 {
		faults = append(faults, fmt.Errorf("%s.policies: must have one or more, or not be set", field))
	}
	for i, p := range r.Policies {
		if p.Value < 1 {
			faults = append(faults, fmt.Errorf("%s.policies[%d].value: %d is not allowed: set 1 or more", field, i, p.Value))
		}
		if p.Period < time.Second || p.Period > longestPeriod || p.Period%time.Second != 0 {
			faults = append(faults, fmt.Errorf("%s.policies[%d].period: %v is not allowed: set whole seconds from 1s to %v", field, i, p.Period, longestPeriod))
		}
	}
	return errors.Join(faults...)
}

// defaulted returns the behavior with all defaults set.
func (b Behavior) defaulted() Behavior {
	const period = 15 * time.Second
	return Behavior{
		ScaleUp:   b.ScaleUp.or(0, Policy{Value: 4, Period: period}, Policy{Percent: true, Value: 100, Period: period}),
		ScaleDown: b.ScaleDown.or(DownscaleWindow, Policy{Percent: true, Value: 100, Period: period}),
	}
}

func (r Rules) or(window time.Duration, policies ...Policy) Rules {
	if r.Window == nil {
		r.Window = &window
	}
	if r.Select == "" {
		r.Select = SelectMax
	}
	if r.Policies == nil {
		r.Policies = policies
	}
	return r
}
