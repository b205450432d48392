package mlflowtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// search records a request to runs/search and the number of runs returned.
type search struct {
	filter string
	runs   int
}

// searches records the searches from now on.
func (w *world) searches() func() []search {
	var mu sync.Mutex
	var all []search
	w.setFault(func(out http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if !strings.HasSuffix(r.URL.Path, "/runs/search") {
			return false
		}
		raw, _ := io.ReadAll(r.Body)
		var ask struct {
			Filter string `json:"filter"`
		}
		if err := json.Unmarshal(raw, &ask); err != nil {
			w.t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		rec := &recorded{ResponseWriter: out}
		next.ServeHTTP(rec, r)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, search{ask.Filter, strings.Count(rec.body.String(), `"run_uuid"`)})
		return true
	})
	return func() []search {
		mu.Lock()
		defer mu.Unlock()
		out := all
		all = nil
		return out
	}
}

type recorded struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (r *recorded) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// Thousands of runs are added up once. After that a sample requests only new ones.
func TestSensorRemembersWhatLongEndedRunsCameTo(t *testing.T) {
	w := newWorld(t)
	id, err := w.c.EnsureExperiment(w.ctx(), "many")
	require.NoError(t, err)
	const old = 510
	slots := make(chan struct{}, 16)
	var making sync.WaitGroup
	for i := range old { // two days ago
		slots <- struct{}{}
		making.Go(func() {
			defer func() { <-slots }()
			_, err := w.c.CreateRun(w.ctx(), id, "old", map[string]string{"app": "digits"}, start.Add(time.Duration(i-2*86_400_000)*time.Millisecond))
			if err != nil {
				t.Error(err)
			}
		})
	}
	making.Wait()
	w.run("many", "new", map[string]float64{"n": 5}, nil, map[string]string{"app": "digits"})
	w.run("many", "other", map[string]float64{"n": 7}, nil, map[string]string{"app": "other"})

	count := w.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "many", Take: "count", Filter: "tags.app = 'digits'"}})
	sum := w.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "many", Take: "sum", Of: "n"}})
	value := func(s engine.Sensor) any {
		t.Helper()
		return w.sample(s, target("digits"))[0].Value
	}
	seen := w.searches()
	require.Equal(t, old+1.0, value(count))
	seen()
	require.Equal(t, old+1.0, value(count))
	again := seen()
	require.Len(t, again, 1)
	require.Equal(t, fmt.Sprintf("tags.app = 'digits' and attributes.start_time > %d", start.Add((old-1-2*86_400_000)*time.Millisecond).UnixMilli()), again[0].filter)
	require.Equal(t, 1, again[0].runs, "only the new one")

	require.Equal(t, 12.0, value(sum))
	going, err := w.c.CreateRun(w.ctx(), id, "going", map[string]string{"app": "digits"}, w.clock.Now())
	require.NoError(t, err)
	require.Equal(t, old+2.0, value(count))
	w.clock.Advance(time.Hour)
	w.run("many", "late", map[string]float64{"n": 1}, nil, map[string]string{"app": "digits"})
	require.Equal(t, old+3.0, value(count))
	require.Equal(t, 13.0, value(sum))
	require.NoError(t, w.c.LogBatch(w.ctx(), going.ID, []mlflow.Metric{{Key: "n", Value: 2, At: w.clock.Now()}}, nil, nil))
	require.Equal(t, 15.0, value(sum), "it goes on, and so it may still grow")

	// A run logged with an old time is noticed once all pages have been read again, one a minute.
	backfilled, err := w.c.CreateRun(w.ctx(), id, "backfilled", nil, start.Add(-24*time.Hour))
	require.NoError(t, err)
	require.NoError(t, w.c.LogBatch(w.ctx(), backfilled.ID, []mlflow.Metric{{Key: "n", Value: 100, At: w.clock.Now()}}, nil, nil))
	require.Equal(t, 15.0, value(sum))
	for range 4 {
		w.clock.Advance(time.Minute)
		value(sum)
	}
	require.Equal(t, 115.0, value(sum))
	require.Equal(t, old+3.0, value(count))

	// From a server that can't search by time, all runs are requested.
	var refused atomic.Int64
	w.setFault(func(out http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		raw, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(raw))
		byTime := strings.Contains(string(raw), "attributes.start_time \\u003e")
		if byTime {
			refused.Add(1)
			out.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(out, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid attribute key 'start_time' specified."}`)
		}
		return byTime
	})
	require.Equal(t, 115.0, value(sum))
	require.Equal(t, 115.0, value(sum))
	require.Equal(t, int64(1), refused.Load(), "once it knows, it does not try again")
}

// A total of too many runs for one sample is completed by later ones.
func TestSensorGoesOnAddingUpWhereItWasCutOff(t *testing.T) {
	w := newWorld(t)
	id, err := w.c.EnsureExperiment(w.ctx(), "many")
	require.NoError(t, err)
	for i := range 30 {
		_, err := w.c.CreateRun(w.ctx(), id, "old", nil, start.Add(time.Duration(i)*time.Second-48*time.Hour))
		require.NoError(t, err)
	}
	down, filter := true, ""
	w.setFault(func(out http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !strings.HasSuffix(r.URL.Path, "/runs/search") {
			return false
		}
		ask := map[string]any{}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
			t.Error(err)
		}
		if down && ask["page_token"] != nil {
			out.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		filter, _ = ask["filter"].(string)
		ask["max_results"] = 20
		raw, _ := json.Marshal(ask)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		return false
	})
	count := w.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "many", Take: "count"}})
	_, err = count.Sample(w.ctx(), w.clock.Now(), []engine.Target{target("digits")})
	require.ErrorContains(t, err, "503")
	require.Empty(t, filter)
	require.Equal(t, 30.0, w.sample(count, target("digits"))[0].Value)
	require.Contains(t, filter, "attributes.start_time > ", "the rest only")
}

// BenchmarkSum samples a sum over many runs: the first time, and later.
func BenchmarkSum(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		w := newWorld(b)
		w.many(n)
		w.clock.Advance(time.Hour)
		sum := func(s engine.Sensor) {
			if got := w.sample(s, target("digits"))[0]; got.Value != float64(n*100) {
				b.Fatal(got)
			}
		}
		fresh := func() engine.Sensor {
			return w.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "many", Take: "sum", Of: "predictions"}})
		}
		b.Run(fmt.Sprint("first/", n), func(b *testing.B) {
			for b.Loop() {
				sum(fresh())
			}
		})
		b.Run(fmt.Sprint("later/", n), func(b *testing.B) {
			s := fresh()
			sum(s)
			for b.Loop() {
				sum(s)
			}
		})
	}
}
