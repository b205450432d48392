package sensors_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

const staleMarker = 0x7ff0000000000002 // Prometheus' own, of a series that has ended

// A process that has just started distinguishes series that are gone or too old from series
// that never existed.
func TestPrometheusKnowsWhatWasThere(t *testing.T) {
	ago := func(s float64) time.Time { return now.Add(-time.Duration(s * float64(time.Second))) }
	ended := math.Float64frombits(staleMarker)
	address, queries := prom(t,
		one("load", ago(1), 1, "namespace", "x", "deployment", "fresh"),
		one("load", ago(40), 2, "namespace", "x", "deployment", "old"),
		one("load", ago(16), 3, "namespace", "x", "deployment", "ended"), one("load", ago(10), ended, "namespace", "x", "deployment", "ended"),
		one("load", ago(95), 4, "namespace", "x", "deployment", "gone"), one("load", ago(90), ended, "namespace", "x", "deployment", "gone"),
		one("load", ago(40), math.NaN(), "namespace", "x", "deployment", "broken"),
	)
	s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "load"}, sensors.Env{Prometheus: address, StaleAfter: 30 * time.Second})
	fleet := []engine.Target{target("x", "fresh"), target("x", "old"), target("x", "ended"), target("x", "gone"), target("x", "broken"), target("x", "never")}
	got := sampleAt(t, s, now, fleet...)
	tooOld := engine.Signal{State: engine.Stale, Problem: "no sample is within 30s, which is staleAfter; there is an older one"}
	require.Equal(t, engine.Reading{
		{State: engine.OK, Value: 1.0, At: now}, tooOld,
		{State: engine.Empty, Last: 3.0, At: got[2].At}, // the engine says that this is stale
		{State: engine.Empty}, tooOld, {State: engine.Empty},
	}, got)
	require.Equal(t, 15*time.Second, now.Sub(got[2].At))
	require.EqualValues(t, 5, queries.Load())

	// No query is sent at every turn for a series that never existed, but for one that is too
	// old, until it is gone.
	before := queries.Load()
	got = sampleAt(t, s, now.Add(time.Second), fleet...)
	require.Equal(t, tooOld, got[1])
	require.EqualValues(t, 2, queries.Load()-before)
	before = queries.Load()
	got = sampleAt(t, s, now.Add(2*time.Second), fleet[0], fleet[3], fleet[5])
	require.Equal(t, engine.Empty, got[2].State)
	require.EqualValues(t, 1, queries.Load()-before)
}

// The same for a range, and for a sensor that was down for longer than staleAfter.
func TestPrometheusKnowsWhatWasThereAfterAnOutage(t *testing.T) {
	address, _ := prom(t, one("load", now, 1), one("load", now.Add(500*time.Second), 2), one("load", now.Add(505*time.Second), math.Float64frombits(staleMarker)))
	for name, config := range map[string]*sensors.PrometheusConfig{
		"instant": {Query: "load"},
		"range":   {Query: "load", Range: &sensors.RangeConfig{Window: seconds(4), Step: seconds(1)}},
	} {
		s := build(t, "prometheus", config, sensors.Env{Prometheus: address, StaleAfter: 30 * time.Second})
		require.Equal(t, engine.OK, sampleAt(t, s, now, target("x", "a"))[0].State, name)
		got := sampleAt(t, s, now.Add(515*time.Second), target("x", "a"))[0]
		require.Equal(t, engine.Empty, got.State, name)
		require.NotNil(t, got.Last, name)
		require.WithinRange(t, got.At, now.Add(500*time.Second), now.Add(505*time.Second), name)
	}
}
