package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// signalLog holds the last logged state of each agent's signals. A sensor gets one line
// when some of its signals stop being ok, whatever the number of targets, and one when
// all are ok again.
type signalLog map[string]map[string]loggedSignal // by agent and sensor

type loggedSignal struct {
	state  engine.State
	whole  bool
	logged bool // "signal is not ok" was logged, and "signal is ok again" was not yet
}

// signalChange is one line for the log.
type signalChange struct {
	level   hclog.Level
	message string
	fields  []any
}

// changes updates the states from a firing and returns the lines to log. A sensor that
// fails as a whole is logged as a problem of the firing instead.
func (l signalLog) changes(f *engine.FiringRecord) []signalChange {
	if f.Targets == 0 { // nothing was sampled
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
		if u.State == engine.Empty && !known { // never ok so far: there may be nothing to measure yet
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
