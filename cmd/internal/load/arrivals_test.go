package load

import (
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// transport answers each query 200 after a delay, and notes when it was sent.
type transport struct {
	delay time.Duration
	mu    sync.Mutex
	sent  []time.Time
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.sent = append(t.sent, time.Now())
	t.mu.Unlock()
	<-time.After(t.delay)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

func noBody(int) (string, []byte) { return "text/plain", nil }

// run drives a generator against a transport on a clock of the test's own.
func run(t *testing.T, tr *transport, seed uint64, phases ...Phase) *Result {
	g, err := New(Options{URL: "http://service.test/predict", Body: noBody, Phases: phases, Seed: seed, Transport: tr, MaxOutstanding: 1 << 20})
	require.NoError(t, err)
	r, err := g.Run(t.Context())
	require.NoError(t, err)
	return r
}

func TestArrivalsArePoisson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 50.0
		tr := &transport{delay: 3 * time.Second} // every reply is 150 queries late
		began := time.Now()
		r := run(t, tr, 1, Phase{Name: "steady", Duration: 400 * time.Second, Rate: rate})

		gaps := make([]float64, 0, len(tr.sent))
		last := began
		for _, at := range tr.sent {
			gaps = append(gaps, at.Sub(last).Seconds())
			last = at
		}
		n := float64(len(gaps))
		require.InDelta(t, 400*rate, n, 3*math.Sqrt(400*rate), "the mean rate")
		require.InDelta(t, 1/rate, stat.Mean(gaps, nil), 3/rate/math.Sqrt(n))
		require.InDelta(t, 1/rate, stat.StdDev(gaps, nil), 0.05/rate, "an exponential's deviation is its mean")
		require.InDelta(t, 0, stat.Correlation(gaps[:len(gaps)-1], gaps[1:], nil), 3/math.Sqrt(n), "gaps depend on one another")

		slices.Sort(gaps)
		exponential := distuv.Exponential{Rate: rate}
		exact := make([]float64, 100_000)
		for i := range exact {
			exact[i] = exponential.Quantile((float64(i) + 0.5) / float64(len(exact)))
		}
		require.Less(t, stat.KolmogorovSmirnov(gaps, nil, exact, nil), 1.63/math.Sqrt(n), "not exponential at the 1% level")

		require.InEpsilon(t, 3000, r.Total.P50, 1e-3, "latency is from when a query was due")
		require.Zero(t, r.MaxLag, "a late reply delayed the next query")
	})
}

func TestArrivalsDependOnTheSeedAlone(t *testing.T) {
	draw := func(seed uint64) (all []Arrival) {
		a := newArrivals([]Phase{{Duration: time.Minute, Rate: 20}, {Duration: time.Minute, Rate: 1, To: 30, Shape: Ramp}}, seed)
		for {
			next, ok := a.next()
			if !ok {
				return all
			}
			all = append(all, next)
		}
	}
	require.Equal(t, draw(4), draw(4))
	require.NotEqual(t, draw(4), draw(5))
	require.True(t, slices.IsSortedFunc(draw(4), func(a, b Arrival) int { return int(a.At - b.At) }))
}

func TestRateFollowsThePhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		phases := []Phase{
			{Name: "low", Duration: 100 * time.Second, Rate: 10},
			{Name: "silence", Duration: 20 * time.Second},
			{Name: "up", Duration: 100 * time.Second, Rate: 0, To: 100, Shape: Ramp},
			{Name: "swing", Duration: 160 * time.Second, Rate: 20, To: 60, Shape: Sine, Period: 40 * time.Second},
			{Name: "steps", Duration: 100 * time.Second, Rate: 80, To: 20, Shape: Square, Period: 20 * time.Second},
			{Name: "day", Duration: 240 * time.Second, Rate: 10, To: 50, Shape: Day, Period: 240 * time.Second},
		}
		r := run(t, &transport{}, 3, phases...)
		require.Len(t, r.Phases, len(phases))
		for i, mean := range []float64{10, 0, 50, 40, 50, 30} {
			s := r.Phases[i]
			expected := mean * s.Seconds
			require.Equal(t, phases[i].Name, s.Name)
			require.InDelta(t, mean, s.TargetRate, 1e-3*mean, s.Name)
			require.InDelta(t, expected, s.Count, 3*math.Sqrt(expected), s.Name)
			require.InDelta(t, float64(s.Count)/s.Seconds, s.AchievedRate, 1e-9, s.Name)
		}
		begin := Total(phases[:4])
		tenth := r.Series(10 * time.Second)
		require.Len(t, tenth, 72)
		require.Equal(t, []float64{10, 50}, []float64{phases[5].RateAt(40 * time.Second), phases[5].RateAt(160 * time.Second)}, "lowest at four, highest at sixteen o'clock")
		for i, p := range tenth {
			require.InDeltaf(t, p.TargetRate*10, p.Count, 3.5*math.Sqrt(p.TargetRate*10)+1, "%s to %s", p.At, p.At+10*time.Second)
			if p.At >= begin && p.At < begin+phases[4].Duration {
				want := []float64{80, 20}[i%2]
				require.Equal(t, want, p.TargetRate)
			}
		}
	})
}

func TestNewNamesEveryMistake(t *testing.T) {
	_, err := New(Options{URL: "localhost:80", Timeout: -1, MaxOutstanding: -1, Phases: []Phase{
		{Name: "a", Rate: -1},
		{Name: "b", Duration: time.Second, Rate: math.NaN(), Shape: "zigzag"},
		{Name: "c", Duration: time.Second, Rate: 1, To: 2e6, Shape: Sine},
		{Name: "d", Duration: time.Second, Rate: 1, To: 2},
	}})
	for _, part := range []string{"url:", "body:", "timeout: -1ns", "max outstanding: -1", "phase 1 (a): duration: 0s", "rate: -1", "rate: NaN",
		`phase 2 (b)`, `shape: "zigzag"`, "phase 3 (c): to: 2e+06", "period: 0s", "phase 4 (d): shape: a steady phase"} {
		require.ErrorContains(t, err, part)
	}
	_, err = New(Options{URL: "http://x", Body: noBody})
	require.ErrorContains(t, err, "phases: there are none")
}

func TestPercentilesAreNearestRank(t *testing.T) {
	upTo := func(n int) *latencies {
		l := newLatencies(totalDigits)
		for i := 1; i <= n; i++ {
			l.add(time.Duration(i)*time.Second, 200)
		}
		return l
	}
	for _, c := range []struct {
		n    int
		p    float64
		want int
	}{
		{0, 50, 0}, {1, 1, 1}, {1, 99, 1}, {2, 50, 1}, {3, 50, 2}, {100, 99, 99}, {100, 90, 90}, {101, 99, 100},
		{1000, 99.9, 999}, {1000, 100, 1000}, {5, 20, 1}, {5, 20.001, 2}, {10, 90, 9},
	} {
		want := time.Duration(c.want) * time.Second
		require.InDeltaf(t, want, upTo(c.n).at(c.p), 1e-3*float64(want), "p%g of 1..%d", c.p, c.n)
	}
}

// TestHistogramsAreWithinTheirError compares with the exact percentiles of what was counted.
func TestHistogramsAreWithinTheirError(t *testing.T) {
	for digits, relative := range map[int]float64{totalDigits: 1e-3, binDigits: 1e-2} {
		rng := rand.New(rand.NewPCG(7, uint64(digits)))
		l, all := newLatencies(digits), []time.Duration{}
		for range 20_000 {
			d := time.Duration(math.Exp(rng.NormFloat64()*3) * float64(2*time.Millisecond)) // from below a microsecond to minutes
			all = append(all, d)
			l.add(d, 200)
		}
		slices.Sort(all)
		for _, p := range []float64{0.001, 1, 10, 50, 90, 99, 99.9, 99.99, 100} {
			exact := all[nearestRank(p, len(all))-1]
			require.InDeltaf(t, exact, l.at(p), relative*float64(exact)+leastValue, "p%g with %d digits", p, digits)
		}
		require.Equal(t, all[len(all)-1], l.max, "the slowest is exact")
	}
	l := newLatencies(totalDigits)
	l.add(-time.Second, 200) // a clock that was set
	l.add(100*time.Hour, 200)
	require.Equal(t, 2, l.good())
	require.Equal(t, 100*time.Hour, l.at(100))
}

// TestMemoryDoesNotDependOnTheNumberOfQueries counts an hour at 1,000 queries a second.
func TestMemoryDoesNotDependOnTheNumberOfQueries(t *testing.T) {
	var s series
	rng := rand.New(rand.NewPCG(1, 1))
	n := 0
	for at := time.Duration(0); at < time.Hour; at += time.Millisecond {
		latency := time.Duration(math.Exp(rng.NormFloat64()) * float64(20*time.Millisecond))
		s.add(at, at+latency, Status(200+300*(n%10/9)))
		n++
	}
	require.LessOrEqual(t, len(s.bins), maxBins)
	bytes := 0
	for _, b := range s.bins {
		if b.due != nil {
			bytes += b.due.GetMemorySize()
		}
	}
	t.Logf("%d queries in %d bins: %d KiB", n, len(s.bins), bytes>>10)
	require.Less(t, bytes, 32<<20)
	all, ended, failed := s.within(0, 25*time.Hour)
	require.Equal(t, []int{n, n, n / 10, n / 10}, []int{all.count(), ended, failed, all.errors}, "nothing was lost when bins became one")
	half, _, _ := s.within(0, s.width*time.Duration(len(s.bins)/2))
	require.InEpsilon(t, n*len(s.bins)/2/len(s.bins), half.count(), 0.01)
}
