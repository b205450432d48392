package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	convnet "github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
)

// replica is a process of scanflow classifier serve.
type replica struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	log bytes.Buffer
}

func startReplica(t *testing.T, args ...string) *replica {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	r := &replica{t: t, cmd: command(t, append([]string{"classifier", "serve", "--listen", address}, args...)...), url: "http://" + address}
	r.cmd.Stderr = &r.log
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	require.Eventually(t, func() bool {
		res, err := http.Get(r.url + "/healthz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	}, time.Minute, 20*time.Millisecond)
	return r
}

func (r *replica) stop() {
	require.NoError(r.t, r.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(r.t, r.cmd.Wait(), r.log.String())
}

// metric is a metric without labels.
func (r *replica) metric(name string) float64 {
	res, err := http.Get(r.url + "/metrics")
	require.NoError(r.t, err)
	defer func() { _ = res.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	require.NoError(r.t, err)
	require.Contains(r.t, families, name)
	m := families[name].GetMetric()[0]
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// post sends an image, and returns the status; 0 is no reply.
func (r *replica) post(kind string, body []byte) (int, string) {
	res, err := http.Post(r.url+"/predict", kind, bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}

// did counts a replica's work while it was loaded.
type did struct{ rate, cores, imagesPerCPUSecond float64 }

// loaded keeps two requests at each replica for so long.
func loaded(t *testing.T, replicas []*replica, d time.Duration) []did {
	body := convnet.Sample(1)[:]
	images := make([]int, len(replicas))
	before := make([]float64, len(replicas))
	for i, r := range replicas {
		before[i] = r.metric("process_cpu_seconds_total")
	}
	var mu sync.Mutex
	var clients sync.WaitGroup
	began := time.Now()
	for i, r := range replicas {
		for range 2 {
			clients.Go(func() {
				for time.Since(began) < d {
					status, _ := r.post("application/octet-stream", body)
					mu.Lock()
					if status == http.StatusOK {
						images[i]++
					}
					mu.Unlock()
				}
			})
		}
	}
	clients.Wait()
	seconds := time.Since(began).Seconds()
	out := make([]did, len(replicas))
	for i, r := range replicas {
		used := r.metric("process_cpu_seconds_total") - before[i]
		out[i] = did{float64(images[i]) / seconds, used / seconds, float64(images[i]) / used}
		t.Logf("replica %d: %.2f requests/s with %.3f of a core, %.1f ms an image", i, out[i].rate, out[i].cores, 1000/out[i].imagesPerCPUSecond)
	}
	return out
}

// Four replicas of 0.15 do four times the work of one, for each keeps to its share. On a
// busy machine they may get less than that, and then they do less.
func TestFourReplicasDoFourTimesTheWork(t *testing.T) {
	const cores = 0.15
	start := func() *replica { return startReplica(t, "--model", "large", "--cpu", "150m", "--queue", "4") }
	one := []*replica{start()}
	alone := loaded(t, one, 4*time.Second)[0]
	all := loaded(t, append(one, start(), start(), start()), 4*time.Second)
	enough, sum := alone.cores > 0.9*cores, 0.0
	for _, d := range append(all, alone) {
		require.LessOrEqual(t, d.cores, cores*1.2)
		require.Positive(t, d.rate)
		enough = enough && d.cores > 0.9*cores
	}
	for _, d := range all {
		sum += d.rate
	}
	t.Logf("one: %.2f requests/s, four: %.2f, all got their share: %t", alone.rate, sum, enough)
	if enough {
		require.InEpsilon(t, 4*alone.rate, sum, 0.25)
	}
}

func TestClassifierServeAnswersAndDrains(t *testing.T) {
	dir := t.TempDir()
	r := startReplica(t, "--model=small", "--seed=7", "--cpu=0.1", "--queue=2")
	require.Equal(t, 0.1, r.metric("classifier_cpu_share"))
	var answers []string
	for format, kind := range map[string]string{"raw": "application/octet-stream", "png": "image/png", "jpeg": "image/jpeg"} {
		file := filepath.Join(dir, format)
		out, err := command(t, "classifier", "sample", "--seed=3", "--format", format, "-o", file).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Empty(t, out)
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		status, text := r.post(kind, body)
		require.Equal(t, http.StatusOK, status, text)
		if format != "jpeg" {
			answers = append(answers, text)
		}
	}
	require.Equal(t, answers[0], answers[1])
	require.Regexp(t, `^\{"model":"small","class":\d+,"probability":0\.\d+\}\n$`, answers[0])
	// What is worked and what waits is answered after SIGTERM.
	statuses := make(chan int, 3)
	for range 3 {
		go func() {
			status, _ := r.post("", convnet.Sample(1)[:])
			statuses <- status
		}()
	}
	require.Eventually(t, func() bool { return r.metric("classifier_queue_length") == 2 }, 20*time.Second, time.Millisecond)
	r.stop()
	for range 3 {
		require.Equal(t, http.StatusOK, <-statuses)
	}
}

func TestClassifierBatchIsStoppedAndGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "progress.json")
	batch := func() *exec.Cmd {
		return command(t, "classifier", "batch", "--model=small", "--threads=4", "--samples=60", "--cpu=200m", "--progress", file)
	}
	first := batch()
	var out bytes.Buffer
	first.Stdout, first.Stderr = &out, &out
	require.NoError(t, first.Start())
	t.Cleanup(func() { _ = first.Process.Kill() })
	require.Eventually(t, func() bool {
		raw, err := os.ReadFile(file)
		return err == nil && !bytes.Contains(raw, []byte(`"done":0`))
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, first.Process.Signal(syscall.SIGTERM))
	var exit *exec.ExitError
	require.ErrorAs(t, first.Wait(), &exit, out.String())
	require.Equal(t, 143, exit.ExitCode())
	type result struct {
		Scenario            string
		Samples, Done, Of   int
		Seconds, CPUSeconds float64
	}
	last := func(text string) (r result) {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &r), text)
		require.Equal(t, "offline", r.Scenario)
		require.Equal(t, 60, r.Of)
		return r
	}
	stopped := last(out.String())
	require.Less(t, stopped.Done, 60)
	require.Positive(t, stopped.Done)
	rest, err := batch().Output()
	require.NoError(t, err)
	ended := last(string(rest))
	require.Equal(t, 60, ended.Done)
	require.Equal(t, 60-stopped.Done, ended.Samples, "what was worked is not worked again")
}

// TestClassifierServeRefuses: a value that would be taken for another is none.
func TestClassifierServeRefuses(t *testing.T) {
	for args, want := range map[string][]string{
		"--threads 0":      {"--threads: 0 is not from 1 to 1024"},
		"--threads 100000": {"--threads: 100000 is not from 1 to 1024"},
		"--grace 0":        {"--grace: 0s is not above 0"},
		"--queue -1 --linger -1s --model huge --threads -1": {"--model: there is no model", "--queue: -1 is below 0", "--linger: -1s is below 0", "--threads: -1"},
	} {
		out, code := scanflow(t, append([]string{"classifier", "serve"}, strings.Fields(args)...)...)
		require.Equal(t, 1, code, args)
		for _, part := range want {
			require.Contains(t, out, part, args)
		}
	}
	out, code := scanflow(t, "digits", "serve", "--grace", "0")
	require.Equal(t, 1, code)
	require.Contains(t, out, "--grace: 0s is not above 0")
}

// TestClassifierSampleGoesByTheName: scanflow load takes the type from the name too.
func TestClassifierSampleGoesByTheName(t *testing.T) {
	for args, want := range map[string]string{
		"-o i.png": "\x89PNG", "-o i.JPG": "\xff\xd8\xff", "-o i.jpeg": "\xff\xd8\xff", "-o i.raw --format png": "\x89PNG",
		"-o i.bin": string(convnet.Sample(1)[:8]), "-o i.png --format raw": string(convnet.Sample(1)[:8]),
	} {
		words := strings.Fields(args)
		words[1] = filepath.Join(t.TempDir(), words[1])
		out, code := scanflow(t, append([]string{"classifier", "sample"}, words...)...)
		require.Zero(t, code, out)
		body, err := os.ReadFile(words[1])
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(body), want), args)
	}
}
