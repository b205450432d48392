package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// childModel is the environment variable that makes this test binary a server process. It
// names the model file.
const childModel = "DIGITS_SERVER_TEST_MODEL"

func TestMain(m *testing.M) {
	if path := os.Getenv(childModel); path != "" {
		os.Exit(child(path))
	}
	os.Exit(m.Run())
}

// child serves like a replica of the demo, until SIGTERM.
func child(path string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	m, err := digits.Load(path)
	if err == nil {
		err = Serve(ctx, Options{Addr: "127.0.0.1:0", Model: m, Work: 400 * time.Millisecond, Ready: func(a net.Addr) { fmt.Println(a) }})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

var samples = sync.OnceValue(func() digits.Dataset {
	r, err := digits.NewRenderer(digits.DefaultStyle())
	if err != nil {
		panic(err)
	}
	return r.Dataset(2000, 300, 1)
})

var classifier = sync.OnceValue(func() *digits.Model {
	m, err := digits.Train(context.Background(), samples(), digits.TrainOptions{Hidden: 32, Epochs: 4, Version: "v7"})
	if err != nil {
		panic(err)
	}
	return m
})

// running is a server under test.
type running struct {
	t    *testing.T
	url  string
	stop context.CancelFunc
	done chan error // receives what Serve returned
}

func start(t *testing.T, o Options) *running {
	ctx, cancel := context.WithCancel(context.Background())
	s := &running{t: t, stop: cancel, done: make(chan error, 1)}
	ready := make(chan net.Addr, 1)
	o.Addr, o.Model, o.Ready = "127.0.0.1:0", classifier(), func(a net.Addr) { ready <- a }
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.done <- Serve(ctx, o)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	select {
	case a := <-ready:
		s.url = "http://" + a.String()
	case err := <-s.done:
		require.NoError(t, err)
	}
	return s
}

// post sends one image and returns the status and the reply; 0 without a reply.
func (s *running) post(ctx context.Context, img *digits.Image) (int, reply) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/predict", bytes.NewReader(img[:]))
	if err != nil {
		return 0, reply{}
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, reply{}
	}
	defer func() { _ = res.Body.Close() }()
	var r reply
	if json.NewDecoder(res.Body).Decode(&r) != nil {
		return 0, reply{}
	}
	return res.StatusCode, r
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

// metric sums the series of a metric whose labels contain the given pairs; a
// histogram counts its observations.
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
	require.Eventually(s.t, condition, 10*time.Second, 5*time.Millisecond, what)
}

func TestPredictsByJSONAndRawAndCounts(t *testing.T) {
	s := start(t, Options{})
	test := samples().Test
	right := 0
	for i := range 100 {
		status, r := s.post(t.Context(), &test.Images[i])
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "v7", r.ModelVersion)
		require.Equal(t, classifier().Predict(&test.Images[i]), r.Predictions[0])
		if r.Predictions[0].Class == int(test.Labels[i]) {
			right++
		}
	}
	require.Greater(t, right, 80)

	type instance struct {
		Pixels []int `json:"pixels"`
	}
	var request struct {
		Instances []instance `json:"instances"`
	}
	for i := range 3 {
		var in instance
		for _, v := range test.Images[i] {
			in.Pixels = append(in.Pixels, int(v))
		}
		request.Instances = append(request.Instances, in)
	}
	body, err := json.Marshal(request)
	require.NoError(t, err)
	res, err := http.Post(s.url+"/predict", "application/json; charset=utf-8", bytes.NewReader(body))
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	var r reply
	require.NoError(t, json.NewDecoder(res.Body).Decode(&r))
	require.Len(t, r.Predictions, 3)
	for i := range 3 {
		require.Equal(t, classifier().Predict(&test.Images[i]), r.Predictions[i])
	}

	status, _ := s.get("/healthz")
	require.Equal(t, http.StatusOK, status)
	status, _ = s.get("/nothing/here")
	require.Equal(t, http.StatusNotFound, status)
	s.eventually("the last request to be counted", func() bool { return s.metric("http_responses_total", "path", "other", "code", "404") == 1 })
	require.Equal(t, 101.0, s.metric("http_responses_total", "path", "/predict", "code", "200"))
	require.Equal(t, 102.0, s.metric("http_requests_total"), "probes and scrapes are not counted")
	require.Equal(t, 101.0, s.metric("http_request_duration_seconds", "path", "/predict"))
	require.Equal(t, 103.0, s.metric("digits_predictions_total"))
	require.Equal(t, 103.0, s.metric("digits_prediction_confidence"))
	require.Equal(t, 1.0, s.metric("digits_model_info", "version", "v7"))
	require.Equal(t, 0.0, s.metric("http_requests_in_flight"))
}

func TestRefusesBadInputNamingEachMistake(t *testing.T) {
	s := start(t, Options{})
	pixels := func(n int, v string) string { return "[" + strings.TrimSuffix(strings.Repeat(v+",", n), ",") + "]" }
	for name, c := range map[string]struct {
		kind, body string
		status     int
		want       []string
	}{
		"no JSON":            {"application/json", `pixels`, 400, []string{"body: invalid character"}},
		"empty":              {"application/json", ``, 400, []string{"body: the JSON is cut short"}},
		"no instances":       {"application/json", `{"instances":[]}`, 400, []string{"instances: there are 0"}},
		"unknown field":      {"application/json", `{"instance":[]}`, 400, []string{`body: unknown field "instance"`}},
		"two values":         {"application/json", `{"instances":[]} {}`, 400, []string{"something follows"}},
		"another type":       {"text/plain", `x`, 400, []string{`Content-Type: "text/plain"`}},
		"raw of wrong size":  {"application/octet-stream", "abc", 400, []string{"body: 3 bytes"}},
		"raw and empty":      {"application/octet-stream", "", 400, []string{"body: 0 bytes"}},
		"too many instances": {"application/octet-stream", strings.Repeat("x", 257*digits.Pixels), 400, []string{"not 1 to 256"}},
		"too large":          {"application/octet-stream", strings.Repeat("x", maxBody+1), 413, []string{"larger than"}},
		"every mistake of every instance": {"application/json",
			`{"instances":[{"pixels":` + pixels(783, "1") + `},{"pixels":` + strings.TrimSuffix(pixels(782, "1"), "]") + `,256,"x"]},{"pixels":"no"},{"pixel":[]},7,{"pixels":` + pixels(784, "0") + `}]}`,
			400, []string{"instances[0].pixels: 783 numbers, not 784", "instances[1].pixels[782]: not a number", "instances[1].pixels[783]: not a number",
				"instances[2]: pixels is a JSON string", `instances[3]: unknown field "pixel"`, "instances[4]: a JSON number"}},
		"hundreds of mistakes": {"application/json", `{"instances":[{"pixels":` + pixels(784, "-1") + `}]}`, 400, []string{"pixels[0]", "pixels[19]", "and 764 more"}},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := http.Post(s.url+"/predict", c.kind, strings.NewReader(c.body))
			require.NoError(t, err)
			defer func() { _ = res.Body.Close() }()
			var r refusal
			require.NoError(t, json.NewDecoder(res.Body).Decode(&r))
			require.Equal(t, c.status, res.StatusCode)
			require.NotEmpty(t, r.Error)
			for _, want := range c.want {
				require.Contains(t, r.Error+"\n"+strings.Join(r.Mistakes, "\n"), want)
			}
			if name != "hundreds of mistakes" {
				require.LessOrEqual(t, len(r.Mistakes), max(1, len(c.want)))
			}
		})
	}
	t.Run("GET", func(t *testing.T) {
		status, _ := s.get("/predict")
		require.Equal(t, http.StatusMethodNotAllowed, status)
	})
	require.Equal(t, 0.0, s.metric("digits_predictions_total"), "nothing was predicted")
}

func TestOneWorkerMakesRequestsWaitTheirTurn(t *testing.T) {
	const work, n = 40 * time.Millisecond, 6
	s := start(t, Options{Work: work})
	took := make(chan time.Duration, n)
	began := time.Now()
	for range n {
		go func() {
			status, _ := s.post(t.Context(), &samples().Test.Images[0])
			if status != http.StatusOK {
				took <- -1
				return
			}
			took <- time.Since(began)
		}()
	}
	for i := range n {
		d := <-took
		require.GreaterOrEqual(t, d, time.Duration(i+1)*work, "request %d was not made to wait", i)
	}
}

func TestFullQueueRefusesAtOnce(t *testing.T) {
	s := start(t, Options{Work: time.Minute, Queue: 2, Grace: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 3 { // one is worked on, two wait
		waiting.Go(func() { s.post(ctx, &samples().Test.Images[0]) })
	}
	s.eventually("three requests in hand", func() bool { return s.metric("http_requests_in_flight") == 3 })
	s.eventually("two of them in the queue", func() bool {
		probe, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		status, _ := s.post(probe, &samples().Test.Images[0])
		return status == http.StatusServiceUnavailable
	})
	cancel()
	waiting.Wait()
}

func TestRequestWhoseClientLeftIsDropped(t *testing.T) {
	s := start(t, Options{Work: 300 * time.Millisecond})
	first := make(chan int, 1)
	go func() {
		status, _ := s.post(t.Context(), &samples().Test.Images[0])
		first <- status
	}()
	s.eventually("the worker to be busy", func() bool { return s.metric("http_requests_in_flight") == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	var left sync.WaitGroup
	for range 20 { // six seconds of work, if it were done
		left.Go(func() { s.post(ctx, &samples().Test.Images[0]) })
	}
	s.eventually("all to wait", func() bool { return s.metric("http_requests_in_flight") == 21 })
	cancel()
	left.Wait()
	s.eventually("the clients' leaving to be noticed", func() bool { return s.metric("http_responses_total", "code", "499") == 20 })
	require.Equal(t, http.StatusOK, <-first)
	s.eventually("the first to be counted", func() bool { return s.metric("http_responses_total", "code", "200") == 1 })
	require.Equal(t, 1.0, s.metric("digits_predictions_total"), "work was done for nobody")
}

func TestDrains(t *testing.T) {
	t.Run("health says so while predictions are still taken", func(t *testing.T) {
		s := start(t, Options{Linger: 2 * time.Second, Grace: 2 * time.Second})
		s.stop()
		s.eventually("health to say 503", func() bool { status, _ := s.get("/healthz"); return status == http.StatusServiceUnavailable })
		status, _ := s.post(t.Context(), &samples().Test.Images[0])
		require.Equal(t, http.StatusOK, status)
	})
	t.Run("work in hand is finished and new work refused", func(t *testing.T) {
		s := start(t, Options{Work: 500 * time.Millisecond})
		replies := make(chan int, 2)
		for range 2 {
			go func() {
				status, _ := s.post(t.Context(), &samples().Test.Images[0])
				replies <- status
			}()
		}
		s.eventually("both in hand", func() bool { return s.metric("http_requests_in_flight") == 2 })
		s.stop()
		s.eventually("health to say 503", func() bool { status, _ := s.get("/healthz"); return status == http.StatusServiceUnavailable })
		s.eventually("new work to be refused", func() bool {
			status, _ := s.post(t.Context(), &samples().Test.Images[0])
			return status == http.StatusServiceUnavailable
		})
		require.Equal(t, http.StatusOK, <-replies)
		require.Equal(t, http.StatusOK, <-replies)
		require.NoError(t, <-s.done)
		status, _ := s.get("/healthz")
		require.Zero(t, status, "the port is still open")
	})
	t.Run("work that outlasts the grace is cut off", func(t *testing.T) {
		s := start(t, Options{Work: time.Hour, Grace: 50 * time.Millisecond})
		reply := make(chan int, 1)
		go func() {
			status, _ := s.post(t.Context(), &samples().Test.Images[0])
			reply <- status
		}()
		s.eventually("it to be in hand", func() bool { return s.metric("http_requests_in_flight") == 1 })
		s.stop()
		require.ErrorIs(t, <-s.done, ErrGrace)
		require.NotEqual(t, http.StatusOK, <-reply)
	})
}

func TestServeRefuses(t *testing.T) {
	err := Serve(t.Context(), Options{Work: -1, Workers: -1, Queue: -1, Linger: -1, Grace: -1})
	for _, part := range []string{"no model", "no address", "work: -1ns", "workers: -1", "queue: -1", "linger: -1ns", "grace: -1ns"} {
		require.ErrorContains(t, err, part)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	err = Serve(t.Context(), Options{Addr: taken.Addr().String(), Model: classifier()})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, taken.Addr().String())
}

func TestProcessFinishesWorkOnSIGTERM(t *testing.T) {
	path := filepath.Join(t.TempDir(), "digits.model")
	require.NoError(t, classifier().Save(path))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childModel+"="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	s := &running{t: t, url: "http://" + strings.TrimSpace(line)}
	reply := make(chan int, 1)
	go func() {
		status, _ := s.post(t.Context(), &samples().Test.Images[0])
		reply <- status
	}()
	s.eventually("a request in hand", func() bool { return s.metric("http_requests_in_flight") == 1 })
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Equal(t, http.StatusOK, <-reply)
	require.NoError(t, cmd.Wait(), "it must exit with status 0")
}
