package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// signalLog is what the log said last of each agent's signals: one line for a sensor
// when some of its signals are not ok, however many targets there are, and one when
// all are ok again.
type signalLog map[string]map[string]loggedSignal // by agent and sensor

type loggedSignal struct {
	state  engine.State
	whole  bool
	logged bool // a line of ours stands, beside those of the problems
}

// signalChange is one line for the log.
type signalChange struct {
	level   hclog.Level
	message string
	fields  []any
}

// changes takes a firing, and returns what is new in it. A sensor that fails as a whole
// is a problem of the firing, which the log tells as such.
func (l signalLog) changes(f *engine.FiringRecord) []signalChange {
	if f.Targets == 0 { // nobody was looked at
		return nil
	}
	var out []signalChange
	before, known := l[f.Agent]
	now := map[string]loggedSignal{}
	for _, u := range f.Unhealthy {
		previous, current := before[u.Sensor], loggedSignal{state: u.State, whole: u.Whole}
		current.logged = previous.logged || !u.Whole
		now[u.Sensor] = current
		if u.Whole || previous == current {
			continue
		}
		level := hclog.Warn
		if u.State == engine.Empty && !known { // it never was ok: there may be nothing to measure yet
			level = hclog.Info
		}
		out = append(out, signalChange{level, "signal is not ok", []any{
			"signal", u.Sensor, "state", u.State, "targets", fmt.Sprintf("%d of %d", u.Targets, f.Targets), "first", u.First.String(), "problem", u.Problem,
		}})
	}
	for _, sensor := range slices.Sorted(maps.Keys(before)) {
		if _, still := now[sensor]; !still && before[sensor].logged {
			out = append(out, signalChange{hclog.Info, "signal is ok again", []any{"signal", sensor}})
		}
	}
	l[f.Agent] = now
	return out
}
