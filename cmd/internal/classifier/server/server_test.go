package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier/share"
)

// slow is a share with which the small model takes about 0.2 s an image.
const slow share.Share = 50 * raceFactor

// running is a server under test, with the small model of seed 1.
type running struct {
	t    *testing.T
	url  string
	stop context.CancelFunc
	done chan error // receives what Serve returned
}

// begin returns as soon as the server listens.
func begin(t *testing.T, o Options) *running {
	ctx, cancel := context.WithCancel(context.Background())
	s := &running{t: t, stop: cancel, done: make(chan error, 1)}
	listening := make(chan net.Addr, 1)
	o.Addr, o.Model, o.Seed, o.Listening = "127.0.0.1:0", classifier.Small, 1, func(a net.Addr) { listening <- a }
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.done <- Serve(ctx, o)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	select {
	case a := <-listening:
		s.url = "http://" + a.String()
	case err := <-s.done:
		require.NoError(t, err)
	}
	return s
}

func start(t *testing.T, o Options) *running {
	ready := make(chan struct{})
	o.Ready = func() { close(ready) }
	s := begin(t, o)
	<-ready
	return s
}

// post sends a body and returns the status and the reply; status 0 is no reply.
func (s *running) post(ctx context.Context, kind string, body []byte) (int, http.Header, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/predict", bytes.NewReader(body))
	if err != nil {
		return 0, nil, ""
	}
	req.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, ""
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, ""
	}
	return res.StatusCode, res.Header, string(text)
}

// sample sends an image that is right.
func (s *running) sample(ctx context.Context) (int, http.Header) {
	status, header, _ := s.post(ctx, "application/octet-stream", classifier.Sample(1)[:])
	return status, header
}

func (s *running) get(path string) (int, string) {
	res, err := http.Get(s.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return res.StatusCode, string(b)
}

// metric sums the series of a metric whose labels contain the given pairs; a histogram
// counts its observations.
func (s *running) metric(name string, labels ...string) float64 {
	_, text := s.get("/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(s.t, err)
	require.Contains(s.t, families, name)
	var sum float64
next:
	for _, m := range families[name].GetMetric() {
		has := map[string]string{}
		for _, l := range m.GetLabel() {
			has[l.GetName()] = l.GetValue()
		}
		for i := 0; i < len(labels); i += 2 {
			if has[labels[i]] != labels[i+1] {
				continue next
			}
		}
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sum
}

func (s *running) eventually(what string, condition func() bool) {
	s.t.Helper()
	require.Eventually(s.t, condition, 20*time.Second, 5*time.Millisecond, what)
}

func TestAnswersWhatTheNetworkSaysAndCounts(t *testing.T) {
	s := start(t, Options{Threads: 2, Queue: 3})
	network, err := classifier.New(classifier.Small, 1, nil)
	require.NoError(t, err)
	scratch := network.NewScratch()
	for seed := range uint64(3) {
		img := classifier.Sample(seed)
		for format, kind := range map[classifier.Format]string{classifier.Raw: "application/octet-stream", classifier.PNG: "image/png"} {
			body, err := img.Encode(format)
			require.NoError(t, err)
			status, header, text := s.post(t.Context(), kind, body)
			require.Equal(t, http.StatusOK, status, text)
			require.Equal(t, "application/json", header.Get("Content-Type"))
			var r reply
			require.NoError(t, json.Unmarshal([]byte(text), &r))
			want, err := network.Predict(scratch, img, nil)
			require.NoError(t, err)
			require.Equal(t, reply{classifier.Small, want.Class, want.Probability}, r)
		}
	}
	status, _ := s.get("/healthz")
	require.Equal(t, http.StatusOK, status)
	status, _ = s.get("/nothing/here")
	require.Equal(t, http.StatusNotFound, status)
	s.eventually("the last request to be counted", func() bool { return s.metric("http_responses_total", "path", "other", "code", "404") == 1 })
	require.Equal(t, 6.0, s.metric("http_responses_total", "path", "/predict", "code", "200"))
	require.Equal(t, 7.0, s.metric("http_requests_total"), "probes and scrapes are not counted")
	require.Equal(t, 6.0, s.metric("http_request_duration_seconds", "path", "/predict"))
	require.Equal(t, 0.0, s.metric("http_requests_in_flight"))
	require.Equal(t, 0.0, s.metric("classifier_queue_length"))
	require.Equal(t, 3.0, s.metric("classifier_queue_capacity"))
	require.Equal(t, 2.0, s.metric("classifier_cpu_share"), "two threads, and no bound")
	require.Equal(t, 1.0, s.metric("classifier_model_info", "model", "small"))
	busy := s.metric("classifier_busy_seconds_total")
	require.Greater(t, busy, 0.01)
	require.Less(t, busy, s.metric("process_cpu_seconds_total")+0.1)
	require.Positive(t, s.metric("go_goroutines"))
}

func TestRefusesWhatIsNoImage(t *testing.T) {
	s := start(t, Options{Queue: 1})
	jpg, err := classifier.Sample(1).Encode(classifier.JPEG)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		kind   string
		body   []byte
		status int
		want   string
	}{
		"empty":         {"application/octet-stream", nil, 400, "a raw image has 150528"},
		"a byte more":   {"application/octet-stream", make([]byte, classifier.ImageBytes+1), 400, "150529 bytes"},
		"no PNG":        {"image/png", jpg, 400, "no image/png"},
		"cut short":     {"image/jpeg", jpg[:len(jpg)/2], 400, "cannot be decoded"},
		"another type":  {"text/plain", jpg, 415, "none of"},
		"too large":     {"image/jpeg", make([]byte, maxBody+1), 413, "larger than 4194304 bytes"},
		"not a type":    {"a;;", jpg, 415, "none of"},
		"hostile bytes": {"image/\xff", jpg, 415, "none of"},
	} {
		status, _, text := s.post(t.Context(), c.kind, c.body)
		require.Equal(t, c.status, status, "%s: %s", name, text)
		var r refusal
		require.NoError(t, json.Unmarshal([]byte(text), &r), name)
		require.Contains(t, r.Error, c.want, name)
	}
	res, err := http.Get(s.url + "/predict")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
	require.Equal(t, http.MethodPost, res.Header.Get("Allow"))
}

func TestIsReadyOnceTheNetworkIsWarm(t *testing.T) {
	warm := make(chan struct{})
	s := begin(t, Options{CPU: slow, Queue: 1, Ready: func() { close(warm) }})
	status, _ := s.get("/healthz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	status, header := s.sample(t.Context())
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "1", header.Get("Retry-After"))
	<-warm
	status, _ = s.get("/healthz")
	require.Equal(t, http.StatusOK, status)
	status, _ = s.sample(t.Context())
	require.Equal(t, http.StatusOK, status)
	require.InDelta(t, 0.05*raceFactor, s.metric("classifier_cpu_share"), 1e-9)
}

// held is a server whose only thread the test has, so that requests wait until the test
// lets them be worked.
func held(t *testing.T, queue int) (s *running, release func()) {
	o := Options{Addr: "127.0.0.1:0", Model: classifier.Small, Seed: 1, Queue: queue}
	require.NoError(t, o.complete())
	working, abort := context.WithCancel(context.Background())
	service := newService(working, o)
	require.NoError(t, service.load(working))
	web := httptest.NewServer(service.routes())
	t.Cleanup(func() { abort(); web.Close() })
	scratch, err := service.queue.acquire(working)
	require.NoError(t, err)
	return &running{t: t, url: web.URL}, func() { service.queue.release(scratch) }
}

func TestAFullQueueRefusesAtOnceAndSaysWhenThereIsRoom(t *testing.T) {
	s, release := held(t, 8)
	var waiting sync.WaitGroup
	statuses := make(chan int, 8)
	for range 8 {
		waiting.Go(func() {
			status, _ := s.sample(t.Context())
			statuses <- status
		})
	}
	s.eventually("the queue to be full", func() bool { return s.metric("classifier_queue_length") == 8 })
	status, header := s.sample(t.Context())
	require.Equal(t, http.StatusServiceUnavailable, status)
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, seconds, 1)
	require.LessOrEqual(t, seconds, 60, "nine images of about 10 ms; more on a busy machine")
	release()
	waiting.Wait()
	for range 8 {
		require.Equal(t, http.StatusOK, <-statuses)
	}
	s.eventually("all to be counted", func() bool { return s.metric("http_responses_total", "code", "200") == 8 })
	require.Equal(t, 1.0, s.metric("http_responses_total", "code", "503"))
	require.Equal(t, 9.0, s.metric("http_requests_total"), "arrivals that were refused are counted")
}

func TestRetryAfterFollowsTheQueueAndTheTimeOfAnImage(t *testing.T) {
	for _, c := range []struct {
		threads int
		waiting int64
		image   time.Duration
		want    int
	}{{1, 0, 0, 1}, {1, 0, time.Millisecond, 1}, {1, 9, 300 * time.Millisecond, 3}, {1, 10, 300 * time.Millisecond, 4}, {2, 10, 300 * time.Millisecond, 2}, {1, 63, 10 * time.Second, 640}} {
		q := newQueue(c.threads, 100)
		q.waiting.Store(c.waiting)
		q.took(c.image)
		require.Equal(t, c.want, q.retryAfter(), "%+v", c)
	}
	q := newQueue(1, 1)
	q.took(800 * time.Millisecond)
	for range 60 {
		q.took(160 * time.Millisecond)
	}
	require.InDelta(t, 160, q.each().Milliseconds(), 2)
}

func TestNoWorkIsDoneForAClientThatLeft(t *testing.T) {
	s, release := held(t, 30)
	ctx, cancel := context.WithCancel(t.Context())
	var left sync.WaitGroup
	for range 20 {
		left.Go(func() { s.sample(ctx) })
	}
	s.eventually("all to wait", func() bool { return s.metric("classifier_queue_length") == 20 })
	cancel()
	left.Wait()
	s.eventually("the clients' leaving to be noticed", func() bool { return s.metric("http_responses_total", "code", "499") == 20 })
	require.Equal(t, 0.0, s.metric("classifier_busy_seconds_total"))
	release()
	status, _ := s.sample(t.Context())
	require.Equal(t, http.StatusOK, status)
	require.Positive(t, s.metric("classifier_busy_seconds_total"))
}

func TestAnImageInWorkIsGivenUpWhenItsClientLeaves(t *testing.T) {
	o := Options{Addr: "127.0.0.1:0", Model: classifier.Small, Seed: 1}
	require.NoError(t, o.complete())
	service := newService(t.Context(), o)
	require.NoError(t, service.load(t.Context()))
	picture, err := classifier.ReadPicture("", classifier.Sample(1)[:])
	require.NoError(t, err)
	// The share is used up after a layer or two, and the next one is far away.
	ctx, leave := context.WithCancel(t.Context())
	clock := share.System()
	clock.Sleep = func(ctx context.Context, _ time.Duration) error {
		leave()
		<-ctx.Done()
		return ctx.Err()
	}
	service.quota = share.New(1, clock)
	_, err = service.work(ctx, picture)
	require.ErrorIs(t, err, context.Canceled)
	service.quota = share.New(0, share.System())
	_, err = service.work(t.Context(), picture)
	require.NoError(t, err, "the thread is free again")
}

func TestDrains(t *testing.T) {
	t.Run("health says so while requests are still taken", func(t *testing.T) {
		s := start(t, Options{Queue: 1, Linger: 2 * time.Second})
		s.stop()
		s.eventually("health to say 503", func() bool { status, _ := s.get("/healthz"); return status == http.StatusServiceUnavailable })
		status, _ := s.sample(t.Context())
		require.Equal(t, http.StatusOK, status)
	})
	t.Run("what is worked and what waits is finished", func(t *testing.T) {
		s := start(t, Options{CPU: slow, Queue: 4})
		replies := make(chan int, 4)
		for range 4 {
			go func() {
				status, _ := s.sample(t.Context())
				replies <- status
			}()
		}
		s.eventually("three to wait", func() bool { return s.metric("classifier_queue_length") == 3 })
		s.stop()
		for range 4 {
			require.Equal(t, http.StatusOK, <-replies)
		}
		require.NoError(t, <-s.done)
		status, _ := s.get("/healthz")
		require.Zero(t, status, "the port is still open")
	})
	t.Run("what outlasts the grace is cut off", func(t *testing.T) {
		s := start(t, Options{CPU: slow, Queue: 30, Grace: 50 * time.Millisecond})
		replies := make(chan int, 20)
		for range 20 {
			go func() {
				status, _ := s.sample(t.Context())
				replies <- status
			}()
		}
		s.eventually("them to wait", func() bool { return s.metric("classifier_queue_length") == 19 })
		s.stop()
		require.ErrorIs(t, <-s.done, ErrGrace)
		refused := 0
		for range 20 {
			if <-replies == http.StatusServiceUnavailable {
				refused++
			}
		}
		require.GreaterOrEqual(t, refused, 18, "they are told so")
	})
	t.Run("before it is ready", func(t *testing.T) {
		s := begin(t, Options{CPU: 1})
		s.stop()
		require.NoError(t, <-s.done)
	})
}

func TestServeRefuses(t *testing.T) {
	err := Serve(t.Context(), Options{CPU: -1, Threads: -1, Queue: -1, Linger: -1, Grace: -1})
	for _, part := range []string{"no model", "no address", "cpu: -1", "threads: -1", "queue: -1", "linger: -1ns", "grace: -1ns"} {
		require.ErrorContains(t, err, part)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	err = Serve(t.Context(), Options{Addr: taken.Addr().String(), Model: classifier.Small})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, taken.Addr().String())
}
