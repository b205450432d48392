package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
)

func generator(t testing.TB, url string, change func(*Options), phases ...Phase) *Generator {
	o := Options{URL: url, Body: func(n int) (string, []byte) { return "text/plain", fmt.Append(nil, n) }, Phases: phases, Seed: 11}
	if change != nil {
		change(&o)
	}
	g, err := New(o)
	require.NoError(t, err)
	return g
}

func TestSendsToARealServer(t *testing.T) {
	var mu sync.Mutex
	bodies := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		mu.Lock()
		if err != nil || len(b) == 0 {
			t.Errorf("a query without its body: %s %s %v: %v", r.Method, r.RemoteAddr, r.Header, err)
		}
		bodies[string(b)] = true
		odd := len(bodies)%4 == 0
		mu.Unlock()
		if odd {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	g := generator(t, server.URL, nil, Phase{Name: "one", Duration: 400 * time.Millisecond, Rate: 300}, Phase{Name: "two", Duration: 400 * time.Millisecond, Rate: 600})
	require.Zero(t, g.Stats(time.Second))
	r, err := g.Run(t.Context())
	require.NoError(t, err)

	require.Len(t, bodies, r.Total.Count, "each query has a body of its own")
	require.Equal(t, r.Total.Count, r.Phases[0].Count+r.Phases[1].Count)
	require.Equal(t, r.Total.Count/4, r.Total.Errors)
	require.InDelta(t, 0.25, r.Total.ErrorRate, 0.01)
	require.InDelta(t, 450, r.Total.TargetRate, 1e-9)
	require.InDelta(t, r.Total.OfferedRate, r.Total.AchievedRate+float64(r.Total.Errors)/0.8, 1e-6)
	require.Greater(t, r.Total.P50, 0.0)
	require.True(t, r.Total.P50 <= r.Total.P90 && r.Total.P90 <= r.Total.P99 && r.Total.P99 <= r.Total.Max)

	s := g.Stats(time.Hour)
	require.Equal(t, []int{r.Total.Count, r.Total.Count, r.Total.Errors, 0}, []int{s.Due, s.Count, s.Errors, s.Outstanding})
	require.InEpsilon(t, r.Total.P99, ms(s.P99), 0.02)

	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(text), `"p99Ms":`)
	_, err = g.Run(t.Context())
	require.ErrorContains(t, err, "has run already")
}

// TestAStallCountsAgainstEveryQueryThatItHeldUp is about coordinated omission: a
// client that waits for its replies would see one slow query here.
func TestAStallCountsAgainstEveryQueryThatItHeldUp(t *testing.T) {
	const stall = 500 * time.Millisecond
	var began sync.Once
	open := make(chan struct{})
	var during atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		began.Do(func() { time.AfterFunc(stall, func() { close(open) }) })
		select {
		case <-open:
		default:
			during.Add(1)
			<-open
		}
	}))
	defer server.Close()
	r, err := generator(t, server.URL, func(o *Options) { o.Bound = stall / 2 }, Phase{Duration: time.Second, Rate: 200}).Run(t.Context())
	require.NoError(t, err)
	require.Greater(t, during.Load(), int64(60), "queries stopped while the server stalled")
	require.Greater(t, r.Total.Count-r.Within, 30, "half of the stall's queries waited for more than half of it")
	require.Greater(t, r.Total.P90, ms(stall)/2)
}

func TestLatencyIsFromWhenAQueryWasDueNotSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	const late = 60 * time.Millisecond
	g := generator(t, server.URL, func(o *Options) {
		o.Body = func(int) (string, []byte) { <-time.After(late); return "text/plain", nil }
	}, Phase{Duration: 300 * time.Millisecond, Rate: 50})
	r, err := g.Run(t.Context())
	require.NoError(t, err)
	fastest, ok := r.Rank(1)
	require.True(t, ok)
	require.GreaterOrEqual(t, fastest, late)
}

func TestFaultsAreToldApart(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc // nil: nobody listens
		want    Status
	}{
		"no answer in time": {handler: hang, want: TimedOut},
		"half an answer in time": {handler: func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("half"))
			w.(http.Flusher).Flush()
			hang(w, r)
		}, want: TimedOut},
		"connection broken":  {handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: NoReply},
		"connection refused": {want: NoReply},
		"an error":           {handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, want: 500},
		"a redirect": {handler: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
			want: http.StatusFound},
	} {
		t.Run(name, func(t *testing.T) {
			url := "http://" + freeport.Reserve(t)
			if c.handler != nil {
				server := httptest.NewServer(c.handler)
				defer server.Close()
				url = server.URL
			}
			timeout := 100 * time.Millisecond
			if c.want != TimedOut { // a server that answers may be slow
				timeout = 0
			}
			g := generator(t, url, func(o *Options) { o.Timeout = timeout }, Phase{Duration: 100 * time.Millisecond, Rate: 100})
			r, err := g.Run(t.Context())
			require.NoError(t, err)
			require.NotZero(t, r.Total.Count)
			require.Equal(t, map[Status]int{c.want: r.Total.Count}, r.Failed)
			require.Equal(t, 1.0, r.Total.ErrorRate)
			require.Zero(t, r.Total.P99, "errors have no latency")
		})
	}
}

// blocking is a server that answers nothing before it is told to.
func blocking(t *testing.T) (url string, inside *atomic.Int64, release func()) {
	inside = &atomic.Int64{}
	open := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside.Add(1)
		<-open
	}))
	release = sync.OnceFunc(func() { close(open) })
	t.Cleanup(func() { release(); server.Close() })
	return server.URL, inside, release
}

func TestOutstandingIsBounded(t *testing.T) {
	url, inside, release := blocking(t)
	g := generator(t, url, func(o *Options) { o.MaxOutstanding = 5 }, Phase{Duration: 300 * time.Millisecond, Rate: 200})
	done := make(chan *Result, 1)
	go func() {
		r, _ := g.Run(t.Context())
		done <- r
	}()
	require.Eventually(t, func() bool { return g.Stats(time.Minute).Errors > 20 }, 10*time.Second, time.Millisecond)
	require.Equal(t, 5, g.Stats(time.Second).Outstanding)
	release()
	r := <-done
	overflow := r.Failed[Overflow]
	require.Equal(t, r.Total.Errors, overflow)
	require.Equal(t, int64(r.Total.Count-overflow), inside.Load(), "a query that counts as not sent was sent")
	require.GreaterOrEqual(t, r.Total.Count-overflow, 5)
}

func TestStopWaitsForQueriesUnderWay(t *testing.T) {
	url, inside, release := blocking(t)
	g := generator(t, url, nil, Phase{Name: "reached", Duration: time.Hour, Rate: 100}, Phase{Name: "never", Duration: time.Hour, Rate: 1})
	ctx, cancel := context.WithCancel(t.Context())
	type end struct {
		r   *Result
		err error
	}
	done := make(chan end, 1)
	go func() {
		r, err := g.Run(ctx)
		done <- end{r, err}
	}()
	require.Eventually(t, func() bool { return inside.Load() >= 10 }, 10*time.Second, time.Millisecond)
	cancel()
	select {
	case <-done:
		t.Fatal("it did not wait for the queries under way")
	case <-time.After(50 * time.Millisecond):
	}
	release()
	e := <-done
	require.ErrorIs(t, e.err, context.Canceled)
	require.Zero(t, g.Stats(time.Second).Outstanding)
	require.Zero(t, e.r.Total.Errors, "a query under way was cut off")
	require.Equal(t, int(inside.Load()), e.r.Total.Count)
	require.Len(t, e.r.Phases, 1)
	require.Equal(t, "reached", e.r.Phases[0].Name)
	require.Less(t, e.r.Phases[0].Seconds, 60.0)
	points := e.r.Series(50 * time.Millisecond)
	sum := 0
	for _, p := range points {
		sum += p.Count
	}
	require.Equal(t, e.r.Total.Count, sum)
}

func TestStoppedBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("not today"))
	r, err := generator(t, "http://127.0.0.1:1", nil, Phase{Duration: time.Second, Rate: 1}).Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, r.Total.Count)
}
