package engine

import (
	"context"
	"time"
)

// State says whether a signal's value may be used.
type State string

const (
	OK    State = "ok"
	Empty State = "empty" // nothing was measured: no series, no such field
	NaN   State = "nan"   // not a number, or an infinity
	Stale State = "stale" // measured too long ago, or there a moment ago and gone now
	Error State = "error" // the sensor failed, timed out, or answered something else
)

// States are all the states, in the order in which they are shown.
var States = []State{OK, Empty, NaN, Stale, Error}

// Signal is one sampled value of one target. The value is valid only in state OK.
type Signal struct {
	State State
	// Value is a JSON value: float64, string, bool, nil, []any or map[string]any. Within
	// arrays and objects, a whole number that no float64 holds is a json.Number.
	Value any
	// Last is the last value that was OK, where the state is not; nil if there never was one.
	Last any
	// Missing has the members that have no number, with their states, where the value would be
	// an object of members and the state is not OK. Such a value is OK only where every member
	// is: a part of it would look like the whole.
	Missing map[string]State
	// At is the time at which Value was measured (or Last, where the state is not OK).
	At time.Time
	// Window is the span that the value was computed over; 0 where it is of an instant.
	Window time.Duration
	// Since is the time of the baseline that Value counts from; zero if the sensor has none.
	Since time.Time
	// Sustained summarizes the latest values in state OK; nil in any other, and where the
	// sensor asks for none.
	Sustained *Sustained
	// Problem says why the state is not OK. It goes to logs and the journal, and
	// holds no secret: a sensor never puts an address' userinfo or a header in it.
	Problem string
}

// Reading is one sample of a sensor: a signal for each target, in the fleet's order.
type Reading []Signal

// Sensor samples one signal for the whole fleet at once.
//
// A sensor reports what it measured and nothing else: a target without a series is
// Empty, a value that it can't read is Error for that target. The returned error is
// for a failure of the whole sample, and becomes an Error signal of every target.
// Where its source knows the value from before the series ended, the sensor sets Last and
// At of the Empty signal; where the source knows one that is too old, it returns Stale.
// The engine judges NaN and staleness, and fills Last, for all sensors alike.
type Sensor interface {
	Sample(ctx context.Context, at time.Time, fleet []Target) (Reading, error)
}

// SensorSpec is a sensor as an agent uses it.
type SensorSpec struct {
	Name   string
	Sensor Sensor
	// Timeout bounds one sample; 0 takes DefaultSensorTimeout.
	Timeout time.Duration
	// StaleAfter is the age beyond which a value is stale; 0 means that age is not judged.
	StaleAfter time.Duration
	// Since is the mark that sets the sensor's baseline: it samples a total that grows, and
	// the signal is the increase since the baseline; "" where it has none.
	Since string
	// Sum is set where a total that falls is a sum from which something was deleted;
	// otherwise it is a counter that was reset.
	Sum bool
	// Sustained is nil where nothing asks for how long values have held.
	Sustained *SustainedSpec
}

// Doubter is a sensor that can check with its source whether the settings that the agent
// relies on have an effect there. The check runs beside the turns: when the agent begins,
// after a sample that failed, and a minute after a check without a result.
type Doubter interface {
	// Doubt names the setting that may have no effect, for the Problems of the firings; ""
	// where each has one. known is false where it could not be found out. A result from
	// before since, the time of the last failed sample, may be outdated; at is now.
	Doubt(ctx context.Context, at, since time.Time) (problem string, known bool)
}

// DefaultSensorTimeout bounds a sample where the manifest sets no timeout.
const DefaultSensorTimeout = 5 * time.Second
