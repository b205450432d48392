package sensors

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// The rate of a sensor is the same with and without samples of forks between its own, and a
// fork has the rate at once, since it has the counters of before.
func TestSamplesOfAForkLeaveASensorAsItIs(t *testing.T) {
	var count atomic.Int64
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "calls_total %d\n", count.Load())
	}))
	t.Cleanup(page.Close)
	rates := func(between func(engine.Sensor, time.Time)) (out []any) {
		s, err := newScrape(&ScrapeConfig{URL: page.URL, Metric: "calls_total", Rate: manifest.Duration{Duration: 25 * time.Second}}, Env{})
		require.NoError(t, err)
		at := time.Unix(1_700_000_000, 0)
		for _, n := range []int64{0, 100, 300, 10, 20} { // it is reset in between
			count.Store(n)
			out = append(out, sampleOf(t, s, at).Value)
			count.Store(n + 50)
			between(s, at.Add(5*time.Second))
			at = at.Add(10 * time.Second)
		}
		return out
	}
	alone := rates(func(engine.Sensor, time.Time) {})
	require.Nil(t, alone[0])
	beside := rates(func(s engine.Sensor, at time.Time) {
		require.IsType(t, 0.0, sampleOf(t, engine.ForkSensor(s), at).Value, "it has the counters that it was forked with")
	})
	require.Equal(t, alone, beside)
}

func sampleOf(t *testing.T, s engine.Sensor, at time.Time) engine.Signal {
	t.Helper()
	r, err := s.Sample(context.Background(), at, []engine.Target{{Namespace: "ns", Name: "web"}})
	require.NoError(t, err)
	return r[0]
}

func TestAForkOfTotalsIsACopy(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	c := &runTotalsCache{}
	c.get("q", at).settled.sum = 1
	f := c.fork()
	f.get("q", at).settled.sum = 2
	f.get("other", at)
	require.Equal(t, 1.0, c.get("q", at).settled.sum)
	require.Len(t, c.by, 1)
}
