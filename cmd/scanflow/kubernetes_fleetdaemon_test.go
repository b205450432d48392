package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fleetDaemon is a process that is measured from outside.
type fleetDaemon struct {
	b        *testing.B
	cmd      *exec.Cmd
	url, log string
}

// metric is the sum of a metric over its labels.
func (d *fleetDaemon) metric(name string) float64 { return d.metricWith(name, "") }

func (d *fleetDaemon) metricWith(name, label string) float64 {
	d.b.Helper()
	res, err := http.Get(d.url + "/metrics")
	require.NoError(d.b, err)
	defer func() { _ = res.Body.Close() }()
	var body strings.Builder
	_, err = fmt.Fprint(&body, readAll(d.b, res))
	require.NoError(d.b, err)
	sum := 0.0
	for line := range strings.Lines(body.String()) {
		if rest, is := strings.CutPrefix(line, name); is && (rest[0] == '{' || rest[0] == ' ') && strings.Contains(rest, label) {
			v, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(strings.TrimRight(line, "\n"), ' '):]), 64)
			require.NoError(d.b, err)
			sum += v
		}
	}
	return sum
}

func readAll(b *testing.B, res *http.Response) string {
	b.Helper()
	var out strings.Builder
	buf := make([]byte, 64<<10)
	for {
		n, err := res.Body.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return out.String()
		}
	}
}

// usage is the processor time that the daemon used so far, and its peak resident set.
func (d *fleetDaemon) usage() (cpu time.Duration, peakMiB float64) {
	d.b.Helper()
	pid := d.cmd.Process.Pid
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(d.b, err)
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+2:]))
	user, err := strconv.Atoi(fields[11])
	require.NoError(d.b, err)
	system, err := strconv.Atoi(fields[12])
	require.NoError(d.b, err)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(d.b, err)
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(d.b, m)
	kib, err := strconv.Atoi(string(m[1]))
	require.NoError(d.b, err)
	return time.Duration(user+system) * 10 * time.Millisecond, float64(kib) / 1024 // USER_HZ is 100
}

// settledMetric is a metric once it has not changed for some seconds.
func (d *fleetDaemon) settledMetric(name string) float64 {
	d.b.Helper()
	last, since := d.metric(name), time.Now()
	require.Eventually(d.b, func() bool {
		if now := d.metric(name); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 5*time.Second
	}, 3*time.Minute, 200*time.Millisecond, "the daemon sends requests all the time")
	return last
}
