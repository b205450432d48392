package turn

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/engine"
)

// look is one turn: its time and the sample, in seconds after the epoch.
type look struct {
	now     float64
	value   any
	state   engine.State // "" is ok
	stamp   float64      // 0 is now
	failure error
}

func (l look) signal(last *lastValue) (engine.Signal, time.Time) {
	now := epoch.Add(time.Duration(l.now * 1e9))
	s := engine.Signal{State: l.state, Value: l.value}
	if l.state == "" {
		s.State = engine.OK
	}
	if l.stamp != 0 {
		s.At = epoch.Add(time.Duration(l.stamp * 1e9))
	}
	return judge(s, l.failure, now, 30*time.Second, last), now
}

func TestSustained(t *testing.T) {
	number := func(f float64) *float64 { return &f }
	span := func(s float64) *time.Duration { d := time.Duration(s * 1e9); return &d }
	between := engine.SustainedSpec{Over: 20 * time.Second, Above: number(20), Below: number(30)}
	every := func(from, to, by float64, v any) (out []look) {
		for at := from; at <= to; at += by {
			out = append(out, look{now: at, value: v})
		}
		return out
	}
	then := func(parts ...[]look) (out []look) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	for name, row := range map[string]struct {
		spec  engine.SustainedSpec
		looks []look
		want  *engine.Sustained
	}{
		"one sample": {between, every(0, 0, 10, 25.0), &engine.Sustained{Samples: 1, Above: span(0), Below: span(0)}},
		"two, which do not cover the span": {between, every(0, 10, 10, 25.0),
			&engine.Sustained{Samples: 2, Span: 10 * time.Second, Above: span(10), Below: span(10)}},
		"three looks": {between, []look{{now: 0, value: 24.0}, {now: 10, value: 26.0}, {now: 20, value: 25.0}},
			&engine.Sustained{Samples: 3, Span: 20 * time.Second, Covered: true, Min: 24, Max: 26, Avg: 25, Above: span(20), Below: span(20)}},
		"late by a little each time: the one before the span counts": {between, []look{{now: 0, value: 24.0}, {now: 10.4, value: 26.0}, {now: 20.1, value: 25.0}},
			&engine.Sustained{Samples: 3, Span: 20100 * time.Millisecond, Covered: true, Min: 24, Max: 26, Avg: 25, Above: span(20.1), Below: span(20.1)}},
		"older ones are forgotten": {between, then([]look{{now: 0, value: 90.0}}, every(10, 40, 10, 25.0)),
			&engine.Sustained{Samples: 3, Span: 40 * time.Second, Covered: true, Min: 25, Max: 25, Avg: 25, Above: span(40), Below: span(30)}},
		"the last is at the bound: it is not beyond": {between, then(every(0, 20, 10, 25.0), []look{{now: 30, value: 20.0}}),
			&engine.Sustained{Samples: 3, Span: 30 * time.Second, Covered: true, Min: 20, Max: 25, Avg: 70.0 / 3, Above: span(0), Below: span(30)}},
		"beyond again: from there on": {between, then(every(0, 20, 10, 10.0), every(30, 40, 10, 25.0)),
			&engine.Sustained{Samples: 3, Span: 40 * time.Second, Covered: true, Min: 10, Max: 25, Avg: 20, Above: span(10), Below: span(40)}},
		"no bounds": {engine.SustainedSpec{Over: 20 * time.Second}, every(0, 20, 10, 25.0),
			&engine.Sustained{Samples: 3, Span: 20 * time.Second, Covered: true, Min: 25, Max: 25, Avg: 25}},
		"a bound of 0": {engine.SustainedSpec{Over: 20 * time.Second, Above: number(0)}, every(0, 10, 10, 0.5),
			&engine.Sustained{Samples: 2, Span: 10 * time.Second, Above: span(10)}},
		"not ok now":                         {between, then(every(0, 20, 10, 25.0), []look{{now: 30, state: engine.Empty}}), nil},
		"failed now":                         {between, then(every(0, 20, 10, 25.0), []look{{now: 30, failure: errors.New("refused")}}), nil},
		"not a number now":                   {between, then(every(0, 20, 10, 25.0), []look{{now: 30, value: math.NaN()}}), nil},
		"infinite now":                       {between, then(every(0, 20, 10, 25.0), []look{{now: 30, value: math.Inf(1)}}), nil},
		"text now":                           {between, then(every(0, 20, 10, 25.0), []look{{now: 30, value: "25"}}), nil},
		"stale now":                          {between, then(every(0, 20, 10, 25.0), []look{{now: 60, value: 25.0, stamp: 20}}), nil},
		"after one that was not ok":          {between, then(every(0, 20, 10, 25.0), []look{{now: 30, state: engine.Empty}}, every(40, 50, 10, 25.0)), &engine.Sustained{Samples: 2, Span: 10 * time.Second, Above: span(10), Below: span(10)}},
		"after text":                         {between, then(every(0, 20, 10, 25.0), []look{{now: 30, value: "25"}}, every(40, 50, 10, 25.0)), &engine.Sustained{Samples: 2, Span: 10 * time.Second, Above: span(10), Below: span(10)}},
		"after a time without turns":         {between, then(every(0, 20, 10, 25.0), every(41, 51, 10, 25.0)), &engine.Sustained{Samples: 2, Span: 10 * time.Second, Above: span(10), Below: span(10)}},
		"a turn is left out within the span": {between, then(every(0, 10, 10, 25.0), every(30, 30, 10, 25.0)), &engine.Sustained{Samples: 2, Span: 30 * time.Second, Covered: true, Min: 25, Max: 25, Avg: 25, Above: span(30), Below: span(30)}},
		"the same sample three times": {between, []look{{now: 0, value: 25.0, stamp: -1}, {now: 10, value: 25.0, stamp: -1}, {now: 20, value: 25.0, stamp: -1}},
			&engine.Sustained{Samples: 1, Above: span(0), Below: span(0)}},
		"the same sample between two": {between, []look{{now: 0, value: 24.0, stamp: -1}, {now: 10, value: 26.0, stamp: 9}, {now: 11, value: 26.0, stamp: 9}, {now: 20, value: 25.0, stamp: 19}},
			&engine.Sustained{Samples: 3, Span: 20 * time.Second, Covered: true, Min: 24, Max: 26, Avg: 25, Above: span(20), Below: span(20)}},
		"a sample that a clock ahead stamped, three times": {between, []look{{now: 0, value: 25.0, stamp: 25}, {now: 10, value: 25.0, stamp: 25}, {now: 24, value: 25.0, stamp: 25}},
			&engine.Sustained{Samples: 1, Above: span(0), Below: span(0)}},
		"stamps that are ahead": {between, []look{{now: 0, value: 25.0, stamp: 5}, {now: 10, value: 25.0, stamp: 15}, {now: 20, value: 25.0, stamp: 25}},
			&engine.Sustained{Samples: 3, Span: 20 * time.Second, Covered: true, Min: 25, Max: 25, Avg: 25, Above: span(20), Below: span(20)}},
		"an older sample that contradicts": {between, []look{{now: 0, value: 25.0}, {now: 10, value: 25.0}, {now: 20, value: 25.0}, {now: 20.5, value: 5.0, stamp: 15}},
			&engine.Sustained{Samples: 3, Span: 20 * time.Second, Covered: true, Min: 5, Max: 25, Avg: 25, Above: span(0), Below: span(20)}},
		"the clock is set back by a second": {between, []look{{now: 0, value: 25.0}, {now: 10, value: 25.0}, {now: 9, value: 25.0}, {now: 20, value: 25.0}},
			&engine.Sustained{Samples: 3, Span: 20 * time.Second, Covered: true, Min: 25, Max: 25, Avg: 25, Above: span(20), Below: span(20)}},
		"the clock is set back by a year": {between, then(every(1e7, 1e7+20, 10, 25.0), every(0, 10, 10, 25.0)),
			&engine.Sustained{Samples: 2, Span: 10 * time.Second, Above: span(10), Below: span(10)}},
		"the clock is set ahead by a year": {between, then(every(0, 20, 10, 25.0), every(1e7, 1e7+10, 10, 25.0)),
			&engine.Sustained{Samples: 2, Span: 10 * time.Second, Above: span(10), Below: span(10)}},
		"the largest numbers": {engine.SustainedSpec{Over: 20 * time.Second}, every(0, 20, 1, math.MaxFloat64),
			&engine.Sustained{Samples: 21, Span: 20 * time.Second, Covered: true, Min: math.MaxFloat64, Max: math.MaxFloat64, Avg: math.MaxFloat64}},
		"numbers whose sum is rounded": {engine.SustainedSpec{Over: 20 * time.Second}, every(0, 20, 10, 0.1),
			&engine.Sustained{Samples: 3, Span: 20 * time.Second, Covered: true, Min: 0.1, Max: 0.1, Avg: 0.1}},
	} {
		t.Run(name, func(t *testing.T) {
			var h held
			var last lastValue
			var got *engine.Sustained
			for _, l := range row.looks {
				s, now := l.signal(&last)
				got = h.add(&s, now, &row.spec)
				s.Sustained = got
				require.Equal(t, s.State == engine.OK && got != nil, s.Input(now)["sustained"] != nil)
			}
			require.Equal(t, row.want, got)
			require.True(t, row.want.Equal(got))
		})
	}
}

// The summary is that of a list of all samples, and its memory has a bound, at any rate.
func TestSustainedIsThatOfAllSamples(t *testing.T) {
	const over = 10 * time.Second
	bound := 5.0
	spec := engine.SustainedSpec{Over: over, Above: &bound}
	type sample struct {
		at time.Time
		v  float64
	}
	rapid.Check(t, func(t *rapid.T) {
		var h held
		var all []sample
		now := epoch
		for range rapid.IntRange(1, 200).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.OneOf(rapid.Int64Range(over.Nanoseconds()/maxSlots, 3e9), rapid.Int64Range(1e7*2, 2e10)).Draw(t, "wait")))
			s := engine.Signal{State: engine.OK, Value: float64(rapid.IntRange(0, 20).Draw(t, "value")), At: now}
			if rapid.IntRange(0, 30).Draw(t, "fails") == 0 {
				s.State = engine.Error
				require.Nil(t, h.add(&s, now, &spec))
				all = nil
				continue
			}
			if n := len(all); n > 0 && now.Sub(all[n-1].at) > over {
				all = nil
			}
			all = append(all, sample{now, s.Value.(float64)})
			got := h.add(&s, now, &spec)

			begin := 0
			for begin+1 < len(all) && !all[begin+1].at.After(now.Add(-over)) {
				begin++
			}
			low, high, sum := math.Inf(1), math.Inf(-1), 0.0
			for _, x := range all[begin:] {
				low, high, sum = min(low, x.v), max(high, x.v), sum+x.v
			}
			above := time.Duration(0)
			for i := len(all) - 1; i >= 0 && all[i].v > bound; i-- {
				above = now.Sub(all[i].at)
			}
			want := engine.Sustained{Samples: len(all) - begin, Span: now.Sub(all[0].at), Above: &above}
			if want.Covered = now.Sub(all[begin].at) >= over; want.Covered {
				want.Min, want.Max, want.Avg = low, high, sum/float64(len(all)-begin)
			}
			require.Equal(t, want.Covered, got.Covered)
			require.InDelta(t, want.Avg, got.Avg, 1e-9)
			got.Avg = want.Avg
			require.Equal(t, &want, got)
		}
	})
}

// A burst of events shares slots: nothing is lost, and the span is covered.
func TestSustainedIsBounded(t *testing.T) {
	bound := 5.0
	spec := engine.SustainedSpec{Over: time.Minute, Above: &bound}
	var h held
	var got *engine.Sustained
	now, n := epoch, 0
	for ; now.Before(epoch.Add(5 * time.Minute)); now = now.Add(time.Millisecond) {
		s := engine.Signal{State: engine.OK, Value: 7.0, At: now}
		got = h.add(&s, now, &spec)
		n++
	}
	require.LessOrEqual(t, cap(h.slots), 2*maxSlots)
	require.True(t, got.Covered)
	require.Equal(t, 7.0, got.Avg)
	require.InDelta(t, 60_000, got.Samples, 60_000/maxSlots*2)
	require.Equal(t, 5*time.Minute-time.Millisecond, *got.Above)
	low := engine.Signal{State: engine.OK, Value: 1.0, At: now}
	got = h.add(&low, now, &spec)
	require.Equal(t, 1.0, got.Min)
	require.Zero(t, *got.Above)
}

// A turn sets it for the sensors that ask for it, of each target on its own; a new agent,
// as after a restart, begins anew.
func TestATurnSetsSustained(t *testing.T) {
	spec := engine.Spec{AgentInfo: engine.AgentInfo{Namespace: "ns", Name: "a"}, Sensors: []engine.SensorSpec{
		{Name: "plain"}, {Name: "load", Sustained: &engine.SustainedSpec{Over: 20 * time.Second}},
	}}
	turn := func(a *Agent, at time.Duration, second engine.Signal) []*target {
		fine := engine.Signal{State: engine.OK, Value: 1.0}
		return a.Observe(Input{
			Now: epoch.Add(at), Revision: revisionless{}, Fleet: []engine.Target{{Name: "a"}, {Name: "b"}},
			Readings: []engine.Reading{{fine, fine}, {fine, second}}, Errs: make([]error, 2),
		}).targets
	}
	a := guarded(engine.Guards{})
	a.Spec, a.names = spec, []string{"plain", "load"}
	var got []*target
	for at := time.Duration(0); at <= 20*time.Second; at += 10 * time.Second {
		got = turn(a, at, engine.Signal{State: engine.OK, Value: 2.0})
	}
	require.Nil(t, got[0].doc.Signals[0].Sustained)
	require.Equal(t, &engine.Sustained{Samples: 3, Span: 20 * time.Second, Covered: true, Min: 1, Max: 1, Avg: 1}, got[0].doc.Signals[1].Sustained)
	require.Equal(t, 2.0, got[1].doc.Signals[1].Sustained.Min)
	got = turn(a, 30*time.Second, engine.Signal{State: engine.Empty})
	require.True(t, got[0].doc.Signals[1].Sustained.Covered)
	require.Nil(t, got[1].doc.Signals[1].Sustained)

	// A preview looks once more, on a copy.
	fork := a.Fork(spec.Sensors)
	require.Equal(t, 4, turn(fork, 35*time.Second, engine.Signal{State: engine.Empty})[0].doc.Signals[1].Sustained.Samples)
	require.Nil(t, turn(fork, 36*time.Second, engine.Signal{State: engine.Error})[1].doc.Signals[1].Sustained)
	got = turn(a, 40*time.Second, engine.Signal{State: engine.OK, Value: 2.0})
	require.Equal(t, 3, got[0].doc.Signals[1].Sustained.Samples)
	require.Equal(t, 40*time.Second, got[0].doc.Signals[1].Sustained.Span)

	saved, err := a.Readings()
	require.NoError(t, err)
	again := guarded(engine.Guards{})
	again.Spec, again.names = spec, []string{"plain", "load"}
	again.RestoreReadings(saved)
	require.Equal(t, 1, turn(again, 50*time.Second, engine.Signal{State: engine.Empty})[0].doc.Signals[1].Sustained.Samples)
}
