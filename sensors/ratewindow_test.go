package sensors_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// A rate only uses samples that were read until now. Those that were read before the clock was
// set back are dropped: the rate would not change until the clock passed them.
func TestIncreasesAfterTheClockWasSetBack(t *testing.T) {
	for name, config := range map[string]*sensors.ScrapeConfig{
		"rate":     {Metric: "n_total", Rate: seconds(60)},
		"quantile": {Metric: "d", Quantile: &sensors.QuantileConfig{Rank: 0.5, Window: seconds(60)}},
	} {
		t.Run(name, func(t *testing.T) {
			var count atomic.Int64
			config.URL = serve(t, func(w http.ResponseWriter, r *http.Request) {
				n := count.Load()
				text(200, "text/plain", fmt.Sprintf("n_total %d\nd_bucket{le=\"1\"} %d\nd_bucket{le=\"+Inf\"} %[1]d\n", n, n/2))(w, r)
			})
			s := build(t, "scrape", config, sensors.Env{})
			at := func(when time.Time, n int64) engine.Signal {
				count.Store(n)
				return sampleAt(t, s, when, target("x", "a"))[0]
			}
			ahead := now.Add(time.Hour)
			require.Equal(t, engine.Empty, at(ahead, 0).State)
			require.Equal(t, engine.OK, at(ahead.Add(10*time.Second), 100).State)

			got := at(now, 100)
			require.Equal(t, engine.Empty, got.State, "%v", got.Value)
			require.Contains(t, got.Problem, "there are not yet two samples")
			got = at(now.Add(10*time.Second), 120)
			require.Equal(t, engine.OK, got.State, got.Problem)
			require.Equal(t, now.Add(10*time.Second), got.At)
			if name == "rate" {
				require.Equal(t, 2.0, got.Value)
			}
		})
	}
}

// A sample with a timestamp slightly in the future counts as current.
func TestIncreasesOfSamplesStampedAhead(t *testing.T) {
	var count atomic.Int64
	when := now
	s := build(t, "scrape", &sensors.ScrapeConfig{Metric: "n_total", Rate: seconds(60), URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		text(200, "text/plain", fmt.Sprintf("n_total %d %d\n", count.Load(), when.Add(2*time.Second).UnixMilli()))(w, r)
	})}, sensors.Env{})
	for i, want := range []engine.State{engine.Empty, engine.OK, engine.OK} {
		when = now.Add(time.Duration(i) * 10 * time.Second)
		count.Store(int64(i) * 50)
		got := sampleAt(t, s, when, target("x", "a"))[0]
		require.Equal(t, want, got.State, got.Problem)
		if want == engine.OK {
			require.Equal(t, 5.0, got.Value)
		}
	}
}

// NaN or an infinity anywhere in the window makes the rate NaN, as in PromQL.
func TestIncreasesOfWhatIsNoNumber(t *testing.T) {
	for name, c := range map[string]struct {
		counts []string
		want   engine.State
	}{
		"numbers":         {[]string{"1", "2", "3"}, engine.OK},
		"at first":        {[]string{"NaN", "1000", "1010"}, engine.NaN},
		"amid":            {[]string{"1", "NaN", "1010"}, engine.NaN},
		"at last":         {[]string{"1", "2", "NaN"}, engine.NaN},
		"infinite first":  {[]string{"+Inf", "1000", "1010"}, engine.NaN},
		"infinite amid":   {[]string{"1", "+Inf", "1010"}, engine.NaN},
		"infinite":        {[]string{"1", "2", "+Inf"}, engine.NaN},
		"infinite always": {[]string{"+Inf", "+Inf", "+Inf"}, engine.NaN},
		"below all":       {[]string{"-Inf", "5", "6"}, engine.NaN},
	} {
		for kind, config := range map[string]*sensors.ScrapeConfig{
			"rate":                         {Metric: "n_total", Rate: seconds(60)},
			"quantile, the infinite":       {Metric: "d", Quantile: &sensors.QuantileConfig{Rank: 0.5, Window: seconds(60)}},
			"quantile, the first":          {Metric: "e", Quantile: &sensors.QuantileConfig{Rank: 0.9, Window: seconds(60)}},
			"quantile, beyond what counts": {Metric: "f", Quantile: &sensors.QuantileConfig{Rank: 0.1, Window: seconds(60)}},
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				n := 0
				config.URL = serve(t, func(w http.ResponseWriter, r *http.Request) {
					count := c.counts[n]
					text(200, "text/plain", fmt.Sprintf("n_total %s\nd_bucket{le=\"1\"} %d\nd_bucket{le=\"2\"} %[2]d\nd_bucket{le=\"+Inf\"} %[1]s\n"+
						"e_bucket{le=\"1\"} %[1]s\ne_bucket{le=\"2\"} %[3]d\ne_bucket{le=\"+Inf\"} %[3]d\n"+
						"f_bucket{le=\"1\"} %[3]d\nf_bucket{le=\"2\"} %[1]s\nf_bucket{le=\"+Inf\"} %[3]d\n", count, n, 2000*n))(w, r)
				})
				s := build(t, "scrape", config, sensors.Env{})
				var got engine.Signal
				for n = range c.counts {
					got = sampleAt(t, s, now.Add(time.Duration(n)*10*time.Second), target("x", "a"))[0]
				}
				require.Equal(t, c.want, got.State, "%v %s", got.Value, got.Problem)
			})
		}
	}
}
