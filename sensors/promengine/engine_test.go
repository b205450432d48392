package promengine_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

func open(t *testing.T, o promengine.Options) *promengine.Engine {
	t.Helper()
	e, err := promengine.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func series(name string, labels ...string) map[string]string {
	m := map[string]string{"__name__": name}
	for i := 0; i < len(labels); i += 2 {
		m[labels[i]] = labels[i+1]
	}
	return m
}

// app is a scraped application: a counter that goes up at each scrape.
func app(t *testing.T) (address string, scrapes *atomic.Int64) {
	t.Helper()
	scrapes = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = fmt.Fprintf(w, "# TYPE served_total counter\nserved_total %d\n", scrapes.Add(1))
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://"), scrapes
}

func query(t *testing.T, e *promengine.Engine, expr string) []promengine.Sample {
	t.Helper()
	out, err := e.Query(context.Background(), expr, time.Now())
	require.NoError(t, err)
	return out
}

func TestScrapesWhatItIsToldAndMarksStaleWhatIsGone(t *testing.T) {
	e := open(t, promengine.Options{ScrapeInterval: 50 * time.Millisecond})
	one, _ := app(t)
	two, scrapesOfTwo := app(t)
	target := func(address, pod string) promengine.Target {
		return promengine.Target{Address: address, Labels: map[string]string{"pod": pod}}
	}
	require.NoError(t, e.SetTargets("pods", []promengine.Target{target(one, "a"), target(two, "b")}))
	require.NoError(t, e.SetTargets("other", []promengine.Target{{Address: one, Labels: map[string]string{"instance": "named"}}}))

	require.Eventually(t, func() bool { return len(query(t, e, `served_total{job="pods"} > 1`)) == 2 }, 10*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		return len(query(t, e, `served_total{job="other",instance="named"}`)) == 1
	}, 10*time.Second, 10*time.Millisecond)
	require.Len(t, query(t, e, `up{job="pods"} == 1`), 2)
	require.Eventually(t, func() bool { return len(query(t, e, `rate(served_total{job="pods"}[2s]) > 0`)) == 2 }, 10*time.Second, 10*time.Millisecond)

	require.NoError(t, e.SetTargets("pods", []promengine.Target{target(one, "a")}))
	// The look-back is five minutes: only a stale marker ends the series immediately.
	require.Eventually(t, func() bool { return len(query(t, e, `served_total{job="pods"}`)) == 1 }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, "a", query(t, e, `served_total{job="pods"}`)[0].Labels["pod"])
	after := scrapesOfTwo.Load()

	require.NoError(t, e.SetTargets("pods", nil))
	require.Eventually(t, func() bool { return len(query(t, e, `served_total{job="pods"}`)) == 0 }, 10*time.Second, 10*time.Millisecond)
	require.Len(t, query(t, e, `served_total{job="other"}`), 1, "another job goes on")
	require.Equal(t, after, scrapesOfTwo.Load(), "what is gone is no longer asked")

	require.NoError(t, e.SetTargets("pods", []promengine.Target{target(two, "b")}))
	require.Eventually(t, func() bool { return len(query(t, e, `served_total{pod="b"}`)) == 1 }, 10*time.Second, 10*time.Millisecond, "a target may come back")
}

func TestTargetThatDiesIsDownAndItsSeriesEnd(t *testing.T) {
	e := open(t, promengine.Options{ScrapeInterval: 50 * time.Millisecond})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = fmt.Fprintln(w, "alive 1")
	}))
	defer srv.Close()
	require.NoError(t, e.SetTargets("app", []promengine.Target{{Address: strings.TrimPrefix(srv.URL, "http://")}}))
	require.Eventually(t, func() bool { return len(query(t, e, `alive`)) == 1 }, 10*time.Second, 10*time.Millisecond)
	srv.Close()
	require.Eventually(t, func() bool {
		return len(query(t, e, `alive`)) == 0 && len(query(t, e, `up == 0`)) == 1
	}, 10*time.Second, 10*time.Millisecond)
}

func TestSetTargetsNamesEveryMistake(t *testing.T) {
	e := open(t, promengine.Options{})
	err := e.SetTargets("job", []promengine.Target{
		{Address: "no-port"},
		{Address: "host:1", Labels: map[string]string{"": "x"}},
		{Address: "host:2", Labels: map[string]string{"a": "\xff"}},
	})
	require.ErrorContains(t, err, `"no-port"`)
	require.ErrorContains(t, err, `"host:1": label ""`)
	require.ErrorContains(t, err, `"host:2": label "a"`)
	require.ErrorContains(t, e.SetTargets("", nil), "no name")
}

func TestSamplesSurviveInAFolderAndATemporaryOneIsRemoved(t *testing.T) {
	dir, now := t.TempDir(), time.Now().Truncate(time.Millisecond)
	e, err := promengine.Open(promengine.Options{Dir: dir})
	require.NoError(t, err)
	want := promengine.Sample{Labels: series("kept", "a", "b"), At: now, Value: 7}
	require.NoError(t, e.Append(context.Background(), []promengine.Sample{want}))
	require.NoError(t, e.Close())
	require.NoError(t, e.Close(), "closing twice is closing once")
	require.Error(t, e.SetTargets("job", nil), "a closed engine takes no targets")

	e = open(t, promengine.Options{Dir: dir})
	got, err := e.Query(context.Background(), "kept", now)
	require.NoError(t, err)
	require.Equal(t, []promengine.Sample{want}, got)

	t.Setenv("TMPDIR", t.TempDir())
	e, err = promengine.Open(promengine.Options{})
	require.NoError(t, err)
	entries, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoError(t, e.Close())
	entries, err = os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestOpenFailsWhereItCannotWrite(t *testing.T) {
	file := t.TempDir() + "/file"
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := promengine.Open(promengine.Options{Dir: file})
	require.ErrorContains(t, err, "open Prometheus engine")
}

func TestAppendIsAllOrNothing(t *testing.T) {
	e, now := open(t, promengine.Options{}), time.Now()
	require.NoError(t, e.Append(context.Background(), []promengine.Sample{{Labels: series("a"), At: now, Value: 1}}))
	err := e.Append(context.Background(), []promengine.Sample{
		{Labels: series("b"), At: now, Value: 1},
		{Labels: series("a"), At: now.Add(-time.Second), Value: 2},
	})
	require.ErrorContains(t, err, `append to {__name__="a"}`)
	require.Empty(t, query(t, e, "b"))
}

func TestQueryDirect(t *testing.T) {
	e, now := open(t, promengine.Options{}), time.Now().Truncate(time.Second)
	ctx := context.Background()
	for i := range 4 {
		require.NoError(t, e.Append(ctx, []promengine.Sample{{Labels: series("n"), At: now.Add(time.Duration(i-3) * time.Second), Value: float64(i)}}))
	}
	scalar, err := e.Query(ctx, "scalar(n)", now)
	require.NoError(t, err)
	require.Equal(t, []promengine.Sample{{At: now, Value: 3}}, scalar)

	points, err := e.QueryRange(ctx, "n", now.Add(-2*time.Second), now, time.Second)
	require.NoError(t, err)
	require.Len(t, points, 3)
	require.Equal(t, promengine.Sample{Labels: series("n"), At: now.Add(-2 * time.Second), Value: 1}, points[0])

	raw, err := e.Query(ctx, "n[10s]", now)
	require.NoError(t, err)
	require.Len(t, raw, 4)

	nan, err := e.Query(ctx, "absent_over_time(n[1s]) or vector(0)/0", now)
	require.NoError(t, err)
	require.True(t, math.IsNaN(nan[0].Value))

	_, err = e.Query(ctx, `"text"`, now)
	require.ErrorContains(t, err, "answer is a string")
	_, err = e.Query(ctx, `sum(`, now)
	require.ErrorContains(t, err, "parse error")
}
