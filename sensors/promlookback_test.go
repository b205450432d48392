package sensors_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// forgetful is a real engine behind a proxy that drops the parameter lookback_delta, like a
// server that ignores it. It counts the queries for up.
func forgetful(t *testing.T, samples ...promengine.Sample) (address string, ups *atomic.Int64) {
	t.Helper()
	e, err := promengine.Open(promengine.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	require.NoError(t, e.Append(context.Background(), samples))
	ups = new(atomic.Int64)
	api := e.Handler()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.Form.Get("query") == "up" {
			ups.Add(1)
		}
		r.Form.Del("lookback_delta")
		api.ServeHTTP(w, r)
	}), ups
}

// doubt calls a sensor like the engine does.
func doubt(t *testing.T, s engine.Sensor, at, since time.Time) (string, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return s.(engine.Doubter).Doubt(ctx, at, since)
}

func TestServerIsAskedWhetherItHeedsTheLookBack(t *testing.T) {
	samples := []promengine.Sample{one("up", now.Add(-7*time.Second), 1, "job", "a"), one("up", now.Add(-9*time.Second), 0, "job", "b"), one("x", now.Add(-40*time.Second), 5)}
	heeding, _ := prom(t, samples...)
	coinciding, _ := prom(t, append(samples, one("up", now, 1, "job", "c"))...) // scraped in this very millisecond
	ignoring, _ := forgetful(t, samples...)
	without, _ := prom(t)
	for name, c := range map[string]struct {
		address    string
		staleAfter time.Duration
		problem    string
		known      bool
		log        string
	}{
		"heeded":                          {heeding, time.Minute, "", true, "the server heeds lookback_delta, on which staleAfter rests: address=" + heeding},
		"heeded, with one scraped now":    {coinciding, time.Minute, "", true, "the server heeds lookback_delta"},
		"ignored":                         {ignoring, 30 * time.Second, "staleAfter has no effect: " + ignoring + " ignores lookback_delta, as servers other than Prometheus and Thanos may", true, "[WARN]  the server ignores lookback_delta, so staleAfter has no effect there: address=" + ignoring},
		"no series to tell by":            {without, time.Minute, "", false, "[WARN]  it is not known whether the server heeds lookback_delta, on which staleAfter rests: it has no series up"},
		"no answer":                       {serve(t, text(422, "application/json", `{"status":"error","errorType":"execution","error":"up is not yours"}`)), time.Minute, "", false, "up is not yours"},
		"a server where age is no matter": {ignoring, 0, "", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			env := sensors.Env{Prometheus: c.address, StaleAfter: c.staleAfter, Lookbacks: sensors.NewLookbacks(), Log: hclog.New(&hclog.LoggerOptions{Output: &log})}
			for _, s := range []engine.Sensor{
				build(t, "prometheus", &sensors.PrometheusConfig{Query: "x"}, env),
				build(t, "drift", &sensors.DriftConfig{Query: "x", Bins: "c", MinSamples: 1, Smoothing: 0.001, Reference: sensors.DriftReference{Shares: map[string]float64{"a": 1, "b": 0}}}, env),
			} {
				problem, known := doubt(t, s, now, time.Time{})
				require.Equal(t, c.known, known)
				require.Equal(t, c.problem == "", problem == "", problem)
				require.Contains(t, problem, c.problem)
			}
			if c.log == "" {
				require.Empty(t, log.String())
				return
			}
			require.Contains(t, log.String(), c.log)
			require.Equal(t, 1, strings.Count(log.String(), "\n"), "said once, whichever sensor asks: %s", log.String())
		})
	}
}

// An address is probed once for all sensors, and again after an error.
func TestServerIsAskedOnceForTheLookBack(t *testing.T) {
	address, ups := forgetful(t, one("up", now, 1))
	known := sensors.NewLookbacks()
	var list []engine.Sensor
	for i := range 5 {
		list = append(list, build(t, "prometheus", &sensors.PrometheusConfig{Query: fmt.Sprintf("x%d", i)}, sensors.Env{Prometheus: address, StaleAfter: time.Minute, Lookbacks: known}))
	}
	for _, at := range []time.Time{now, now.Add(10 * time.Second)} {
		for _, s := range list {
			problem, known := doubt(t, s, at, time.Time{})
			require.True(t, known)
			require.NotEmpty(t, problem)
		}
	}
	require.EqualValues(t, 2, ups.Load(), "with and without")
	for _, s := range list {
		_, known := doubt(t, s, now.Add(30*time.Second), now.Add(20*time.Second))
		require.True(t, known)
	}
	require.EqualValues(t, 4, ups.Load(), "once more after an error")
}

// An unknown support is probed again a minute later, and not at every turn.
func TestUnknownLookBackIsAskedAgain(t *testing.T) {
	e, err := promengine.Open(promengine.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	api := e.Handler()
	var asked atomic.Int64
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		api.ServeHTTP(w, r)
	})
	s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "x"}, sensors.Env{Prometheus: address, StaleAfter: time.Minute})
	for _, at := range []time.Time{now, now.Add(59 * time.Second)} {
		_, known := doubt(t, s, at, time.Time{})
		require.False(t, known)
	}
	require.EqualValues(t, 1, asked.Load())
	require.NoError(t, e.Append(t.Context(), []promengine.Sample{one("up", now.Add(50*time.Second), 1)}))
	problem, known := doubt(t, s, now.Add(time.Minute), time.Time{})
	require.True(t, known)
	require.Empty(t, problem)
}

// A sample does not wait for the probe of the look-back.
func TestSampleWaitsForNoDoubt(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _ = r.ParseForm(); r.Form.Get("query") == "up" {
			<-r.Context().Done()
			return
		}
		text(200, "application/json", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"1"]}]}}`)(w, r)
	})
	s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "x"}, sensors.Env{Prometheus: address, StaleAfter: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	var asks sync.WaitGroup
	asks.Go(func() {
		_, known := s.(engine.Doubter).Doubt(ctx, now, time.Time{})
		require.False(t, known)
	})
	require.Equal(t, engine.OK, sampleAt(t, s, now, target("x", "a"))[0].State)
	cancel()
	asks.Wait()
}
