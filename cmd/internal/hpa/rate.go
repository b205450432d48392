package hpa

import (
	"math"
	"time"
)

// scaleEvent is one change of the size by the autoscaler.
type scaleEvent struct {
	change int // absolute value
	at     time.Time
}

// scaleEvents are the events of one direction.
type scaleEvents []scaleEvent

// add stores the event. It reuses the slot of the last one that is older than the rules'
// longest period.
func (e *scaleEvents) add(change int, now time.Time, rules Rules) {
	var longest time.Duration
	for _, p := range rules.Policies {
		longest = max(longest, p.Period)
	}
	slot := -1
	for i, past := range *e {
		if past.at.Before(now.Add(-longest)) {
			slot = i
		}
	}
	if slot < 0 {
		*e = append(*e, scaleEvent{})
		slot = len(*e) - 1
	}
	(*e)[slot] = scaleEvent{change, now}
}

// within returns the sum of the changes less than a period ago.
func (e scaleEvents) within(period time.Duration, now time.Time) int {
	sum := 0
	for _, past := range e {
		if past.at.After(now.Add(-period)) {
			sum += past.change
		}
	}
	return sum
}

// history holds the changes of both directions. Each policy is relative to the size at
// the start of its period.
type history struct{ ups, downs scaleEvents }

func (h history) atStart(replicas int, period time.Duration, now time.Time) int {
	return replicas - h.ups.within(period, now) + h.downs.within(period, now)
}

// highestAllowed returns the maximal size after scaling up.
func (h history) highestAllowed(replicas int, now time.Time, rules Rules) int {
	return max(replicas, h.pick(replicas, now, rules, func(start int, p Policy) int {
		if p.Percent {
			return int(math.Ceil(float64(start) * (1 + float64(p.Value)/100)))
		}
		return start + p.Value
	}, higher))
}

// lowestAllowed returns the minimal size after scaling down.
func (h history) lowestAllowed(replicas int, now time.Time, rules Rules) int {
	return min(replicas, h.pick(replicas, now, rules, func(start int, p Policy) int {
		if p.Percent {
			return int(float64(start) * (1 - float64(p.Value)/100))
		}
		return start - p.Value
	}, lower))
}

// pick returns the size that the selected policy allows: the policy with the larger
// change, or the smaller one for SelectMin.
func (h history) pick(replicas int, now time.Time, rules Rules, reach func(start int, p Policy) int, further func(a, b int) bool) int {
	if rules.Select == SelectDisabled {
		return replicas
	}
	var picked int
	for i, p := range rules.Policies {
		size := reach(h.atStart(replicas, p.Period, now), p)
		if i == 0 || further(size, picked) == (rules.Select == SelectMax) {
			picked = size
		}
	}
	return picked
}

func higher(a, b int) bool { return a > b }
func lower(a, b int) bool  { return a < b }
