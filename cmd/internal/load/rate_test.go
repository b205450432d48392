package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serveHere says that this process is the server of a benchmark.
const serveHere = "SCANFLOW_LOAD_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serveHere) == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		os.Exit(1)
	}
	fmt.Printf("http://%s\n", l.Addr())
	go func() { // it ends with its parent
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write([]byte("{}"))
	}))
}

// otherProcess is a trivial server with a process of its own.
func otherProcess(b *testing.B) (url string) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveHere+"=1", "GOMAXPROCS=1")
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line)
}

// bareLoop is the rate of a loop of net/http's client, one query after the other on
// each of some connections.
func bareLoop(b *testing.B, url string, body []byte, d time.Duration) float64 {
	const connections = 16
	transport := &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	until := time.Now().Add(d)
	counts := make(chan int)
	for range connections {
		go func() {
			n := 0
			for time.Now().Before(until) {
				res, err := client.Post(url, "application/octet-stream", bytes.NewReader(body))
				if err != nil {
					break
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				n++
			}
			counts <- n
		}()
	}
	sum := 0
	for range connections {
		sum += <-counts
	}
	return float64(sum) / d.Seconds()
}

// processorTime is the processor time that this process has used.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkOneCore shows how many queries a second the generator sends from one core to a
// server on another, how late it is, and what a bare loop of net/http reaches beside it.
func BenchmarkOneCore(b *testing.B) {
	url := otherProcess(b)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	image := make([]byte, 784)
	const lasts = 3 * time.Second
	b.Run("bare loop", func(b *testing.B) {
		var rate float64
		used := time.Duration(0)
		for b.Loop() {
			before := processorTime(b)
			rate = bareLoop(b, url, image, lasts)
			used = processorTime(b) - before
		}
		b.ReportMetric(rate, "answered/s")
		b.ReportMetric(float64(used.Microseconds())/rate/lasts.Seconds(), "cpu-us/query")
	})
	for _, rate := range []float64{5000, 10000, 15000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			var r *Result
			used := time.Duration(0)
			for b.Loop() {
				before := processorTime(b)
				g := generator(b, url, func(o *Options) {
					o.MaxOutstanding = 4096
					o.Body = func(int) (string, []byte) { return "application/octet-stream", image }
				}, Phase{Duration: lasts, Rate: rate})
				var err error
				r, err = g.Run(b.Context())
				require.NoError(b, err)
				used = processorTime(b) - before
			}
			b.ReportMetric(r.Total.AchievedRate, "answered/s")
			b.ReportMetric(float64(used.Microseconds())/float64(r.Total.Count), "cpu-us/query")
			b.ReportMetric(r.Total.P50, "p50-ms")
			b.ReportMetric(r.Total.P99, "p99-ms")
			b.ReportMetric(r.LagP99, "lag-p99-ms")
			b.ReportMetric(100*r.Total.ErrorRate, "errors-%")
		})
	}
}
