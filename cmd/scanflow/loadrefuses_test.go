package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoadRefuses(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent.Add(1) }))
	defer server.Close()
	bad := filepath.Join(t.TempDir(), "bad.csv")
	require.NoError(t, os.WriteFile(bad, []byte("second,requests\n0,x\n1,5\n1,5\n"), 0o600))
	good := filepath.Join(t.TempDir(), "good.csv")
	require.NoError(t, os.WriteFile(good, []byte("second,requests\n0,1\n1,5\n"), 0o600))
	link := filepath.Join(t.TempDir(), "link.svg")
	require.NoError(t, os.Symlink(good, link))
	for name, c := range map[string]struct {
		args string
		want []string
	}{
		"nothing to do":          {"", []string{"--rate: server needs --rate, --schedule or --trace"}},
		"no such scenario":       {"--scenario burst", []string{`--scenario: "burst" is none of server`}},
		"rate and trace":         {"--rate 5 --trace " + good, []string{"--rate: has no effect with --trace", "--scale-rate"}},
		"rate and schedule":      {"--rate 5 --schedule 1s@5", []string{"--rate: has no effect with --schedule"}},
		"schedule and trace":     {"--schedule 1s@5 --trace " + good, []string{"--schedule: has no effect with --trace"}},
		"schedule and duration":  {"--schedule 1s@5 --duration 5s", []string{"--duration: has no effect with --schedule"}},
		"scales alone":           {"--rate 5 --scale-rate 2 --scale-time 2", []string{"--scale-rate: has no effect without --trace", "--scale-time: has no effect without --trace"}},
		"concurrency, server":    {"--rate 5 --concurrency 2 --samples 5", []string{"--concurrency: has no effect with --scenario server", "--samples: has no effect"}},
		"rate, offline":          {"--scenario offline --samples 5 --rate 5 --seed 3 --bound 1s --duration 5s --capacity", []string{"--rate: has no effect with --scenario offline", "--seed:", "--bound:", "--duration:", "--capacity:"}},
		"samples, streams":       {"--scenario multi-stream --samples 5 --max-outstanding 4", []string{"--samples: has no effect with --scenario multi-stream", "--max-outstanding"}},
		"offline, samples":       {"--scenario offline", []string{"--samples: offline needs how many"}},
		"capacity, no bound":     {"--capacity", []string{"--capacity: has no effect without --bound"}},
		"capacity, trace":        {"--capacity --bound 1s --trace " + good, []string{"--capacity: has no effect with --trace"}},
		"not above 0":            {"--rate 0 --duration 0s --bound 0s --timeout -1s --max-outstanding 0", []string{"--rate: it must be above 0", "--duration:", "--bound:", "--timeout:", "--max-outstanding:"}},
		"no number":              {"--rate NaN", []string{"--rate: it must be above 0"}},
		"infinite rate":          {"--rate Inf", []string{"--rate: +Inf is more than 1000000"}},
		"infinite":               {"--trace " + good + " --scale-time +Inf", []string{"--scale-time: it must be above 0"}},
		"more than can be sent":  {"--rate 1e9", []string{"--rate: 1e+09 is more than 1000000"}},
		"bound beyond timeout":   {"--rate 5 --bound 20s", []string{"--timeout: 10s is not above --bound (20s)"}},
		"content type alone":     {"--rate 5 --content-type a/b", []string{"--content-type: has no effect without --body"}},
		"no such body":           {"--rate 5 --body nosuch", []string{"--body: open nosuch"}},
		"no such trace":          {"--trace nosuch", []string{"--trace: open nosuch"}},
		"bad lines of a trace":   {"--trace " + bad, []string{"bad.csv:2: requests: \"x\"", "bad.csv:4: 1 is not after"}},
		"a trace and no time":    {"--trace " + good + " --scale-time 1e-12", []string{"--scale-time: 1e-12 leaves nothing"}},
		"longer than the trace":  {"--trace " + good + " --duration 9s", []string{"--duration: 9s is longer than the trace, which takes 2s"}},
		"bad schedule":           {"--schedule 1s@5,1x@5,1s@5..", []string{"--schedule: phase 2", "phase 3"}},
		"no header":              {"--rate 5 --header secret", []string{"--header: number 1 is not"}},
		"the type as a header":   {"--rate 5 --header Content-Type:a/b", []string{"--header: Content-Type is what --content-type says"}},
		"the connection's own":   {"--rate 5 --header content-length:5", []string{"--header: Content-Length is the connection's own"}},
		"a header twice":         {"--rate 5 --header a:1 --header A:2", []string{"--header: A is given twice"}},
		"a header that is empty": {"--rate 5 --header=", []string{"--header: number 1 is not"}},
		"names that are empty":   {"--rate 5 --plot= --body= --content-type=", []string{"--plot: it is empty; name a file, or leave it out", "--body: it is empty", "--content-type: it is empty"}},
		"no trace, no schedule":  {"--trace= --schedule=", []string{"--trace: it is empty", "--schedule: it is empty"}},
		"a body without an end":  {"--rate 5 --body /dev/zero", []string{"--body: /dev/zero has more than 134217728 bytes"}},
		"drawn over the body":    {"--rate 5 --body " + good + " --plot " + good, []string{"--plot: it is the file of --body, and would be written over"}},
		"drawn over the trace":   {"--trace " + good + " --plot " + filepath.Dir(good) + "/../" + filepath.Base(filepath.Dir(good)) + "/good.csv", []string{"--plot: it is the file of --trace"}},
		"drawn over by a link":   {"--trace " + good + " --plot " + link, []string{"--plot: it is the file of --trace"}},
		"nowhere to draw":        {"--rate 5 --plot nosuch/run.svg --body nosuch", []string{"--plot: open nosuch/run.svg", "--body: open nosuch"}},
		"scaled beyond sense":    {"--trace " + good + " --scale-rate 1e300", []string{"--scale-rate: at 1e+300 the trace has up to 5e+300 queries/s, and no process sends more than 1000000"}},
		"scaled a bit too much":  {"--trace " + good + " --scale-rate 200001", []string{"--scale-rate: at 200001 the trace has"}},
		"longer than all time":   {"--trace " + good + " --scale-time 1e12", []string{"--scale-time: at 1e+12 the trace takes more than 100 years; give a smaller one"}},
		"longer, and infinite":   {"--trace " + good + " --scale-time 1e300", []string{"--scale-time: at 1e+300 the trace takes more"}},
		"several lines in a key": {"--rate 5 --header a:1\nb:2", []string{"--header: number 1 is not"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, status, err := runLoad(t, append(strings.Split(strings.TrimSpace(server.URL+" "+c.args), " "), "--json")...)
			require.Error(t, err)
			require.Equal(t, 1, status)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "secret")
			require.Empty(t, out)
		})
	}
	_, _, err := runLoad(t, "localhost:80", "--rate", "5")
	require.ErrorContains(t, err, "URL: it is not an address such as http://")
	_, _, err = runLoad(t, "http://127.0.0.1:99999/", "--rate", "5")
	require.ErrorContains(t, err, "URL: 99999 is no port, which is from 1 to 65535")
	raw, err := os.ReadFile(good)
	require.NoError(t, err)
	require.Equal(t, "second,requests\n0,1\n1,5\n", string(raw), "it was written over")
	require.Zero(t, sent.Load(), "something was sent")
}
