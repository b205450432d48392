package turn

import (
	"math"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// maxSlots bounds the slots of one signal of one target. Samples that come faster than
// SustainedSpec.Over/maxSlots share a slot, so that any rate of triggers is covered. A slot
// leaves the window as a whole, so the window is longer by at most that much.
const maxSlots = 500

// sumScale keeps a sum of the largest floats finite. A power of two changes no digit.
const sumScale = 0x1p-64

// slot holds samples that were measured close to each other; usually one.
type slot struct {
	first    time.Time
	min, max float64
	sum      float64 // times sumScale
	count    int
}

// held summarizes the samples of one signal of one target since the last that was not OK. A
// restart begins anew: a journal can't say what was measured while no process ran.
type held struct {
	slots []slot
	// stamp is At of the last counted sample, as its source wrote it; last is that time, or
	// the turn's where the stamp was in the future.
	stamp, last time.Time
	begin       time.Time // of the span without a break
	// above and below are the times since which each sample has been beyond the bound; zero
	// where the last one was not.
	above, below time.Time
}

// add counts the sample of a turn, which was judged at now, and returns the summary; nil for
// a signal that is not OK or no number, after which everything begins anew.
func (h *held) add(s *engine.Signal, now time.Time, spec *engine.SustainedSpec) *engine.Sustained {
	v, isNumber := s.Value.(float64)
	if s.State != engine.OK || !isNumber {
		*h = held{slots: h.slots[:0]}
		return nil
	}
	// A source whose clock is a little ahead measured no later than now.
	at := engine.NotAfter(s.At, now)
	if gap := at.Sub(h.last); len(h.slots) > 0 && (gap > spec.Over || gap < -spec.Over) {
		// Nobody measured in between, or a clock was set back.
		*h = held{slots: h.slots[:0]}
	}
	switch {
	case len(h.slots) == 0:
		h.begin = at
		h.append(at, s.At, v, spec)
	case s.At.After(h.stamp) && at.After(h.last):
		h.append(at, s.At, v, spec)
	default:
		// The same sample again, or one measured before the last: it is not counted, and no
		// time passes. Its value still ends what it contradicts.
		newest := &h.slots[len(h.slots)-1]
		newest.min, newest.max = min(newest.min, v), max(newest.max, v)
	}
	h.above = since(h.above, h.last, spec.Above != nil && v > *spec.Above)
	h.below = since(h.below, h.last, spec.Below != nil && v < *spec.Below)
	return h.summary(spec)
}

// since returns from when on a condition has held that holds at a time, or does not.
func since(before, at time.Time, holds bool) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case before.IsZero():
		return at
	}
	return before
}

// append counts a sample that was measured after all others, and drops what has left the
// window. Of the slots before the window it keeps the newest: its value was in force when
// the window began.
func (h *held) append(at, stamp time.Time, v float64, spec *engine.SustainedSpec) {
	h.stamp, h.last = stamp, at
	if n := len(h.slots); n > 0 && at.Sub(h.slots[n-1].first) < spec.Over/maxSlots {
		newest := &h.slots[n-1]
		newest.count, newest.sum = newest.count+1, newest.sum+v*sumScale
		newest.min, newest.max = min(newest.min, v), max(newest.max, v)
		return
	}
	begin, gone := at.Add(-spec.Over), 0
	for gone+1 < len(h.slots) && !h.slots[gone+1].first.After(begin) {
		gone++
	}
	h.slots = append(h.slots[:copy(h.slots, h.slots[gone:])], slot{first: at, min: v, max: v, sum: v * sumScale, count: 1})
}

func (h *held) summary(spec *engine.SustainedSpec) *engine.Sustained {
	out := &engine.Sustained{Span: h.last.Sub(h.begin), Min: math.Inf(1), Max: math.Inf(-1)}
	sum := 0.0
	for i := range h.slots {
		s := &h.slots[i]
		out.Samples += s.count
		out.Min, out.Max = min(out.Min, s.min), max(out.Max, s.max)
		sum += s.sum
	}
	if out.Covered = h.last.Sub(h.slots[0].first) >= spec.Over; out.Covered {
		out.Avg = min(max(sum/float64(out.Samples)/sumScale, out.Min), out.Max) // rounding may leave the bounds
	} else {
		out.Min, out.Max = 0, 0
	}
	if spec.Above != nil {
		out.Above = spanSince(h.above, h.last)
	}
	if spec.Below != nil {
		out.Below = spanSince(h.below, h.last)
	}
	return out
}

func spanSince(from, to time.Time) *time.Duration {
	d := time.Duration(0)
	if !from.IsZero() {
		d = to.Sub(from)
	}
	return &d
}

// newHeld returns the state of a target for the sensors that ask for it.
func (a *Agent) newHeld() []*held {
	out := make([]*held, len(a.names))
	for j := range a.Spec.Sensors {
		if a.Spec.Sensors[j].Sustained != nil {
			out[j] = &held{}
		}
	}
	return out
}

func forkHeld(list []*held) []*held {
	out := make([]*held, len(list))
	for j, h := range list {
		if h != nil {
			same := *h
			same.slots = slices.Clone(h.slots)
			out[j] = &same
		}
	}
	return out
}
