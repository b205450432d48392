package hpa

import (
	"errors"
	"math"
)

// Pod is a pod of the target with its value of the metric.
type Pod struct {
	Phase    Phase
	Deleting bool  // it has a deletionTimestamp
	Measured bool  // the metrics API has a value
	Milli    int64 // the value, in thousandths
}

// Phase is a pod's status.phase. For a metric of type Pods, readiness does not matter.
type Phase string

const (
	Pending Phase = "Pending"
	Running Phase = "Running"
	Failed  Phase = "Failed"
)

var (
	errNoPods   = errors.New("no pod matches the selector")
	errNoMetric = errors.New("no pod that counts has a value")
)

// recommend returns the size by the pods' values, before any limit, and their mean. If the
// mean is near the target, the size does not change. Pods without a value, and pending
// ones when scaling up, count with the value that makes the change smaller. If they
// reverse the direction, the size does not change.
func recommend(replicas int, pods []Pod, target int64) (size int, mean int64, err error) {
	if len(pods) == 0 {
		return 0, 0, errNoPods
	}
	var total int64
	var measured, pending, missing int
	for _, p := range pods {
		switch {
		case p.Deleting || p.Phase == Failed:
		case p.Phase == Pending:
			pending++
		case !p.Measured:
			missing++
		default:
			total += p.Milli
			measured++
		}
	}
	if measured == 0 {
		return 0, 0, errNoMetric
	}
	ratio, mean := ratioOf(total, measured, target)
	setAside := ratio > 1 && pending > 0
	if !setAside && missing == 0 {
		if tolerated(ratio) {
			return replicas, mean, nil
		}
		return int(math.Ceil(ratio * float64(measured))), mean, nil
	}
	count := measured
	switch {
	case ratio < 1:
		total += int64(missing) * target
		count += missing
	case ratio > 1:
		count += missing
	}
	if setAside {
		count += pending
	}
	cautious, _ := ratioOf(total, count, target)
	if tolerated(cautious) || ratio < 1 && cautious > 1 || ratio > 1 && cautious < 1 {
		return replicas, mean, nil
	}
	size = int(math.Ceil(cautious * float64(count)))
	if cautious < 1 && size > replicas || cautious > 1 && size < replicas {
		return replicas, mean, nil
	}
	return size, mean, nil
}

// ratioOf returns the ratio of the mean to the target, and the mean in thousandths.
func ratioOf(total int64, pods int, target int64) (ratio float64, mean int64) {
	mean = total / int64(pods)
	return float64(mean) / float64(target), mean
}

func tolerated(ratio float64) bool { return 1-Tolerance <= ratio && ratio <= 1+Tolerance }
