package hpa

import (
	"fmt"
	"time"
)

// Autoscaler is one HorizontalPodAutoscaler with its history. It is not safe for
// concurrent use.
type Autoscaler struct {
	spec        Spec
	behavior    Behavior
	recommended recommendations
	history     history
}

// New validates the spec and returns an autoscaler without a history.
func New(spec Spec) (*Autoscaler, error) {
	if err := spec.validate(); err != nil {
		return nil, fmt.Errorf("horizontal pod autoscaler: %w", err)
	}
	a := &Autoscaler{spec: spec}
	if spec.Behavior != nil {
		a.behavior = spec.Behavior.defaulted()
	}
	return a, nil
}

// Decision is the result of one sync.
type Decision struct {
	Desired     int   // the size to set; the current one for no change
	Recommended int   // by the metric alone, if it was evaluated
	Stabilised  int   // after the stabilization windows
	MeanMilli   int64 // of the metric, in thousandths
	Reason      Reason
	Err         error // why the metric has no result; the size stays
}

// Reason is the last rule that affected the size, by the name in the controller's
// conditions if there is one.
type Reason string

const (
	WithinRange     Reason = "DesiredWithinRange" // the recommendation
	UpStabilised    Reason = "ScaleUpStabilized"
	DownStabilised  Reason = "ScaleDownStabilized"
	UpLimited       Reason = "ScaleUpLimit"
	DownLimited     Reason = "ScaleDownLimit"
	TooMany         Reason = "TooManyReplicas"
	TooFew          Reason = "TooFewReplicas"
	AboveMax        Reason = "AboveMaxReplicas" // the current size is, and the metric was not evaluated
	BelowMin        Reason = "BelowMinReplicas"
	ScalingDisabled Reason = "ScalingDisabled" // the target was scaled to 0
	MetricFailed    Reason = "FailedGetPodsMetric"
)

// Sync computes a decision. The times of successive calls must not decrease. The caller
// sets the desired size and passes the actual size to the next call.
func (a *Autoscaler) Sync(now time.Time, replicas int, pods []Pod) Decision {
	if a.recommended == nil {
		a.recommended.add(replicas, now, now)
	}
	var d Decision
	switch {
	case replicas == 0:
		d = Decision{Reason: ScalingDisabled}
	case replicas > a.spec.Max:
		d = Decision{Desired: a.spec.Max, Reason: AboveMax}
	case replicas < a.spec.Min:
		d = Decision{Desired: a.spec.Min, Reason: BelowMin}
	default:
		d = a.byMetric(now, replicas, pods)
	}
	switch {
	case a.spec.Behavior == nil:
	case d.Desired > replicas:
		a.history.ups.add(d.Desired-replicas, now, a.behavior.ScaleUp)
	case d.Desired < replicas:
		a.history.downs.add(replicas-d.Desired, now, a.behavior.ScaleDown)
	}
	return d
}

func (a *Autoscaler) byMetric(now time.Time, replicas int, pods []Pod) Decision {
	size, mean, err := recommend(replicas, pods, a.spec.TargetMilli)
	if err != nil {
		return Decision{Desired: replicas, Reason: MetricFailed, Err: err}
	}
	d := Decision{Recommended: size, MeanMilli: mean}
	var limit Reason
	if a.spec.Behavior == nil {
		d.Stabilised = a.recommended.highest(size, now)
		d.Desired, limit = a.bounded(replicas, d.Stabilised)
	} else {
		d.Stabilised = a.recommended.stabilised(replicas, size, now, a.behavior)
		d.Desired, limit = a.paced(now, replicas, d.Stabilised)
	}
	switch {
	case d.Desired != d.Stabilised:
		d.Reason = limit
	case d.Stabilised == size:
		d.Reason = WithinRange
	case a.spec.Behavior != nil && size >= replicas:
		d.Reason = UpStabilised
	default:
		d.Reason = DownStabilised
	}
	return d
}

// bounded limits the size for an object without a behavior: at most twice the current
// size, or 4.
func (a *Autoscaler) bounded(replicas, size int) (int, Reason) {
	highest, limit := a.spec.Max, TooMany
	if pace := max(2*replicas, 4); pace < highest {
		highest, limit = pace, UpLimited
	}
	switch {
	case size < a.spec.Min:
		return a.spec.Min, TooFew
	case size > highest:
		return highest, limit
	}
	return size, WithinRange
}

// paced limits the size by the bounds and the behavior's policies.
func (a *Autoscaler) paced(now time.Time, replicas, size int) (int, Reason) {
	switch {
	case size > replicas:
		highest, limit := a.spec.Max, TooMany
		if pace := a.history.highestAllowed(replicas, now, a.behavior.ScaleUp); pace < highest {
			highest, limit = pace, UpLimited
		}
		if size > highest {
			return highest, limit
		}
	case size < replicas:
		lowest, limit := a.spec.Min, TooFew
		if pace := a.history.lowestAllowed(replicas, now, a.behavior.ScaleDown); pace > lowest {
			lowest, limit = pace, DownLimited
		}
		if size < lowest {
			return lowest, limit
		}
	}
	return size, WithinRange
}
