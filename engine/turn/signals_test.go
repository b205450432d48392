package turn

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestJudge(t *testing.T) {
	ago := func(d time.Duration) time.Time { return epoch.Add(-d) }
	for name, row := range map[string]struct {
		sample  engine.Signal
		failure error
		stale   time.Duration
		last    lastValue
		want    engine.State
		value   any
		kept    any
	}{
		"a number":                      {sample: engine.Signal{State: engine.OK, Value: 3.0}, want: engine.OK, value: 3.0},
		"not a number":                  {sample: engine.Signal{State: engine.OK, Value: math.NaN()}, last: lastValue{Value: 2.0, At: ago(time.Hour)}, want: engine.NaN, kept: 2.0},
		"an infinity":                   {sample: engine.Signal{State: engine.OK, Value: math.Inf(1)}, want: engine.NaN},
		"young enough":                  {sample: engine.Signal{State: engine.OK, Value: 3.0, At: ago(30 * time.Second)}, stale: 30 * time.Second, want: engine.OK, value: 3.0},
		"too old":                       {sample: engine.Signal{State: engine.OK, Value: 3.0, At: ago(31 * time.Second)}, stale: 30 * time.Second, want: engine.Stale, kept: 3.0},
		"any age without a bound":       {sample: engine.Signal{State: engine.OK, Value: 3.0, At: ago(time.Hour)}, want: engine.OK, value: 3.0},
		"never there":                   {sample: engine.Signal{State: engine.Empty}, stale: 30 * time.Second, want: engine.Empty},
		"gone a moment ago":             {sample: engine.Signal{State: engine.Empty}, stale: 30 * time.Second, last: lastValue{Value: 5.0, At: ago(10 * time.Second)}, want: engine.Stale, kept: 5.0},
		"gone, as its source remembers": {sample: engine.Signal{State: engine.Empty, Last: 7.0, At: ago(10 * time.Second)}, stale: 30 * time.Second, want: engine.Stale, kept: 7.0},
		"gone, as its source remembers, long ago":   {sample: engine.Signal{State: engine.Empty, Last: 7.0, At: ago(time.Minute)}, stale: 30 * time.Second, want: engine.Empty, kept: 7.0},
		"gone, and the agent remembers more of it":  {sample: engine.Signal{State: engine.Empty, Last: 7.0, At: ago(20 * time.Second)}, stale: 30 * time.Second, last: lastValue{Value: 5.0, At: ago(10 * time.Second)}, want: engine.Stale, kept: 5.0},
		"gone, and remembered of the time to come":  {sample: engine.Signal{State: engine.Empty, Last: 7.0, At: epoch.Add(time.Second)}, stale: 30 * time.Second, want: engine.Empty},
		"gone, and remembered as what is no number": {sample: engine.Signal{State: engine.Empty, Last: math.NaN(), At: ago(time.Second)}, stale: 30 * time.Second, want: engine.Empty},
		"too old, as its source says":               {sample: engine.Signal{State: engine.Stale, Problem: "old"}, stale: 30 * time.Second, last: lastValue{Value: 5.0, At: ago(time.Minute)}, want: engine.Stale, kept: 5.0},
		"gone long ago":                             {sample: engine.Signal{State: engine.Empty}, stale: 30 * time.Second, last: lastValue{Value: 5.0, At: ago(time.Minute)}, want: engine.Empty, kept: 5.0},
		"stamped in the future":                     {sample: engine.Signal{State: engine.OK, Value: 3.0, At: epoch.Add(time.Hour)}, want: engine.Error},
		"stamped before all calendars":              {sample: engine.Signal{State: engine.OK, Value: 3.0, At: time.UnixMilli(-1e14)}, last: lastValue{Value: 5.0, At: ago(time.Minute)}, want: engine.Error, kept: 5.0},
		"stamped after all calendars":               {sample: engine.Signal{State: engine.OK, Value: 3.0, At: time.UnixMilli(math.MaxInt64)}, want: engine.Error},
		"stamped by a clock a bit ahead":            {sample: engine.Signal{State: engine.OK, Value: 3.0, At: epoch.Add(time.Second)}, want: engine.OK, value: 3.0},
		"not a number, deep inside":                 {sample: engine.Signal{State: engine.OK, Value: []any{1.0, map[string]any{"x": math.NaN()}}}, want: engine.NaN},
		"failed":                                    {failure: errors.New("refused"), last: lastValue{Value: 5.0, At: ago(time.Minute)}, want: engine.Error, kept: 5.0},
		"a value in a state that is not":            {sample: engine.Signal{State: engine.Error, Value: 9.0}, want: engine.Error},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(row.sample, row.failure, epoch, row.stale, &row.last)
			require.Equal(t, row.want, got.State)
			require.Equal(t, row.value, got.Value)
			require.Equal(t, row.kept, got.Last)
		})
	}
}

// A value measured under a clock that was ahead gets stale in time, and no age is negative.
func TestAValueIsNotYoungerThanNow(t *testing.T) {
	last := lastValue{Value: 1.0, At: epoch.AddDate(1, 0, 0)}
	s := judge(engine.Signal{State: engine.Empty}, nil, epoch, time.Minute, &last)
	require.Equal(t, engine.Stale, s.State)
	require.Zero(t, s.Age(epoch))
	s = judge(engine.Signal{State: engine.Empty}, nil, epoch.Add(2*time.Minute), time.Minute, &last)
	require.Equal(t, engine.Empty, s.State)
	ahead := engine.Signal{State: engine.OK, Value: 1.0, At: epoch.Add(time.Second)}
	require.Equal(t, int64(0), ahead.Input(epoch)["age_ns"])
}

// The members without a number stay in the document while the signal is not OK.
func TestJudgeKeepsTheMissingMembers(t *testing.T) {
	last := lastValue{Value: map[string]any{"v1": 1.0, "v2": 2.0}, At: epoch}
	missing := map[string]engine.State{"v2": engine.Error}
	s := judge(engine.Signal{State: engine.Error, Missing: missing, Problem: "refused"}, nil, epoch.Add(time.Second), time.Minute, &last)
	require.Equal(t, missing, s.Missing)
	require.Equal(t, map[string]any{"v2": "error"}, s.Input(epoch)["missing"])
	require.Equal(t, last.Value, s.Last)
	s = judge(engine.Signal{State: engine.Error, Missing: missing}, errors.New("shut"), epoch, time.Minute, &last)
	require.Nil(t, s.Missing, "the whole sensor failed")
}
