package load

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadTrace(t *testing.T) {
	second, minute := time.Second, time.Minute
	long := "second,requests\n" + strings.Repeat("0,1\n", maxTraceErrors+30)
	for name, c := range map[string]struct {
		text string
		want *Trace
		errs []string
	}{
		"seconds":           {text: "second,requests\n0,3\n1,0\n2,5\n", want: &Trace{Interval: second, Counts: []float64{3, 0, 5}}},
		"minutes":           {text: "minute,requests\n10,60\n11,30\n", want: &Trace{Interval: minute, Counts: []float64{60, 30}}},
		"times":             {text: "minute,requests\n2026-01-02T23:59:00Z,1\n2026-01-03T00:00:00Z,2\n", want: &Trace{Interval: minute, Counts: []float64{1, 2}}},
		"times with zones":  {text: "minute,requests\n2026-01-02T23:59:00Z,1\n2026-01-03T01:00:00+01:00,2\n", want: &Trace{Interval: minute, Counts: []float64{1, 2}}},
		"a gap is silence":  {text: "second,requests\n0,3\n3,5\n", want: &Trace{Interval: second, Counts: []float64{3, 0, 0, 5}}},
		"from the middle":   {text: "second,requests\n1700000000,3\n1700000001,5\n", want: &Trace{Interval: second, Counts: []float64{3, 5}}},
		"one a line":        {text: "second,context_tokens\n0.0,4808\n0.052,1\n0.052,1\n7,2\n", want: &Trace{Times: []time.Duration{0, 52 * time.Millisecond, 52 * time.Millisecond, 7 * second}, Unread: []string{"context_tokens"}}},
		"one column":        {text: "second\n5\n5.5\n", want: &Trace{Times: []time.Duration{0, second / 2}}},
		"Windows":           {text: "\ufeffsecond,requests\r\n0,3\r\n\r\n1,4\r\n", want: &Trace{Interval: second, Counts: []float64{3, 4}}},
		"quoted and spaced": {text: "\"second\", \"requests\"\n \"0\" , 3 \n", want: &Trace{Interval: second, Counts: []float64{3}}},
		"other case":        {text: "Second,REQUESTS\n0,3\n", want: &Trace{Interval: second, Counts: []float64{3}}},
		"means":             {text: "second,requests\n0,2.5\n", want: &Trace{Interval: second, Counts: []float64{2.5}}},

		"empty":               {errs: []string{"t.csv:1: there is no line with requests"}},
		"counts beside more":  {text: "second,requests,errors\n0,30,1\n", errs: []string{":1: the header \"second,requests,errors\" has requests beside other columns"}},
		"counts come third":   {text: "second,errors,Requests\n0,1,30\n", errs: []string{":1: the header", "keep second,requests alone"}},
		"no request":          {text: "second,requests\n0,0\n1,0\n", errs: []string{":3: no line has a request"}},
		"a long header":       {text: strings.Repeat("x", 5000) + "\n", errs: []string{strings.Repeat("x", 20) + `..." is none of`}},
		"a long number":       {text: "second,requests\n0," + strings.Repeat("x", 5000) + "\n", errs: []string{`x..." is not a number`}},
		"a long second":       {text: "second\n" + strings.Repeat("x", 5000) + "\n", errs: []string{`x..." is not a number`}},
		"a long minute":       {text: "minute,requests\n" + strings.Repeat("x", 5000) + ",5\n", errs: []string{`x..." is neither`}},
		"header alone":        {text: "second,requests\n", errs: []string{":1: there is no line with requests"}},
		"no header":           {text: "0,3\n1,4\n", errs: []string{`:1: the header "0,3" is none of`}},
		"other header":        {text: "hour,requests\n0,3\n", errs: []string{`:1: the header "hour,requests"`}},
		"minutes of arrivals": {text: "minute,tokens\n0,3\n", errs: []string{`:1: the header "minute,tokens"`}},
		"every bad line": {text: "second,requests\n0,-1\n1,x\n2\n3,4,5\nx,1\n0x4,1\n4,NaN\n5,Inf\n6,1e999\n7,1_0\n8.5,1\n9,2000000\n",
			errs: []string{":2: requests: \"-1\"", ":3: requests: \"x\"", ":4: it has 1 columns", ":5: it has 3 columns", ":6: second: \"x\"", ":7: second: \"0x4\"",
				":8: requests: \"NaN\"", ":9: requests: \"Inf\"", ":10: requests: \"1e999\"", ":11: requests: \"1_0\"", ":12: \"8.5\" is not whole", ":13: requests: 2000000 is more than 1000000"}},
		"backwards":         {text: "second,requests\n5,1\n6,1\n6,1\n4,1\n", errs: []string{":4: 6 is not after", ":5: 4 is not after"}},
		"far away":          {text: "second,requests\n0,1\n99999999999,1\n", errs: []string{":3: 99999999999 is 20000000 intervals after"}},
		"mixed":             {text: "minute,requests\n0,1\n2026-01-02T23:59:00Z,1\n", errs: []string{":3: minute: \"2026-01-02T23:59:00Z\" is a time"}},
		"mixed otherwise":   {text: "minute,requests\n2026-01-02T23:59:00Z,1\n1,1\n", errs: []string{":3: minute: \"1\" is a number"}},
		"no such time":      {text: "minute,requests\n2026-02-30T00:00:00Z,1\n", errs: []string{":2: minute: \"2026-02-30T00:00:00Z\" is neither"}},
		"parts of minutes":  {text: "minute,requests\n2026-01-02T00:00:00Z,1\n2026-01-02T00:01:30Z,1\n", errs: []string{":3: \"2026-01-02T00:01:30Z\" is not whole"}},
		"arrivals back":     {text: "second\n1\n3\n2\nx\n", errs: []string{":4: second: 2 is before", ":5: second: \"x\""}},
		"too many errors":   {text: long, errs: []string{fmt.Sprintf(":%d: 0 is not after", maxTraceErrors+2), "and 29 more lines"}},
		"a line too long":   {text: "second,requests\n0,1\n" + strings.Repeat("9", maxTraceLine+1) + "\n", errs: []string{":3: the line has more than 65536 bytes"}},
		"gzip in name only": {text: "\x1f\x8bno", errs: []string{"it is not gzip"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readTrace("t.csv", strings.NewReader(c.text))
			if c.errs != nil {
				for _, want := range c.errs {
					require.ErrorContains(t, err, want)
				}
				require.ErrorContains(t, err, "trace: t.csv")
				require.Less(t, len(err.Error()), 200*(maxTraceErrors+1))
				if name == "every bad line" {
					require.Len(t, strings.Split(err.Error(), "\n"), len(c.errs))
				}
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			_, _ = w.Write([]byte(c.text))
			require.NoError(t, w.Close())
			half := packed.Bytes()[:packed.Len()-6]
			got, err = readTrace("t.csv.gz", &packed)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			_, err = readTrace("t.csv.gz", bytes.NewReader(half))
			require.ErrorContains(t, err, "the file is damaged, or was cut off: unexpected EOF")
		})
	}
	_, err := ReadTrace(filepath.Join(t.TempDir(), "none.csv"))
	require.ErrorContains(t, err, "none.csv")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestPeakOfATrace(t *testing.T) {
	second, minute := &Trace{Interval: time.Second, Counts: []float64{3, 40, 2}}, &Trace{Interval: time.Minute, Counts: []float64{60, 600}}
	times := &Trace{Times: []time.Duration{0, time.Second, 1500 * time.Millisecond, 1900 * time.Millisecond, 2500 * time.Millisecond}}
	for want, trace := range map[float64]*Trace{40: second, 80: second.Scaled(2, 1), 20: second.Scaled(0.5, 9), 10: minute, 3: times, 6: times.Scaled(2, 0.1), 1800: times.Scaled(2, 900)} {
		require.InDelta(t, want, trace.Peak(), 1e-9)
	}
}

func drawn(t *Trace, d time.Duration) (all []time.Duration) {
	a := newArrivals([]Phase{t.Phase("t", d)}, 9)
	for {
		next, ok := a.next()
		if !ok {
			return all
		}
		all = append(all, next.At)
	}
}

func TestCountsAreKept(t *testing.T) {
	trace := &Trace{Interval: time.Second, Counts: []float64{3, 0, 40, 2.5, 2.5}}
	counts := func(all []time.Duration, interval time.Duration) []int {
		n := make([]int, 5)
		for i, at := range all {
			n[at/interval]++
			require.True(t, i == 0 || at >= all[i-1])
		}
		return n
	}
	require.Equal(t, []int{3, 0, 40, 2, 3}, counts(drawn(trace, 0), time.Second), "what rounding leaves is owed")
	require.Equal(t, drawn(trace, 0), drawn(trace, 0))
	require.Equal(t, []int{3, 0, 40, 0, 0}, counts(drawn(trace, 3*time.Second), time.Second), "what fits the time")

	double := trace.Scaled(2, 1)
	require.Equal(t, []int{6, 0, 80, 5, 5}, counts(drawn(double, 0), time.Second))
	require.Equal(t, []float64{6, 0, 80, 5, 0}, []float64{double.rateAt(0), double.rateAt(1500 * time.Millisecond), double.rateAt(2 * time.Second), double.rateAt(4 * time.Second), double.rateAt(5 * time.Second)})

	slow := trace.Scaled(1, 2)
	require.Equal(t, 10*time.Second, slow.Span())
	require.Equal(t, []int{6, 0, 80, 5, 5}, counts(drawn(slow, 0), 2*time.Second), "the same rate for twice as long")
	require.Equal(t, 3.0, slow.rateAt(time.Second))
	require.InDelta(t, 48, trace.Requests(time.Hour), 1e-9)
	require.InDelta(t, 23, trace.Requests(2500*time.Millisecond), 1e-9)
	require.InDelta(t, 96.0/10, slow.mean(10*time.Second), 1e-9)
	require.Len(t, drawn(trace.Scaled(0.5, 1).Scaled(0.5, 1), 0), 12)
}

func TestArrivalsOfATraceAreItsOwn(t *testing.T) {
	times := []time.Duration{0, 52 * time.Millisecond, 52 * time.Millisecond, 3 * time.Second}
	trace := &Trace{Times: times}
	require.Equal(t, times, drawn(trace, 0))
	require.Equal(t, times[:3], drawn(trace, 3*time.Second))
	require.Equal(t, []time.Duration{0, 0, 52 * time.Millisecond, 52 * time.Millisecond, 52 * time.Millisecond, 52 * time.Millisecond, 3 * time.Second, 3 * time.Second}, drawn(trace.Scaled(2, 1), 0))
	require.Equal(t, []time.Duration{0, 26 * time.Millisecond, 26 * time.Millisecond, 1500 * time.Millisecond}, drawn(trace.Scaled(2, 0.5), 0))
	require.InDelta(t, 3, trace.rateAt(0), 1e-9)
	require.InDelta(t, 1, trace.rateAt(3*time.Second), 1e-9)

	many := &Trace{}
	for i := range 10_000 {
		many.Times = append(many.Times, time.Duration(i)*time.Millisecond)
	}
	n := float64(len(drawn(many.Scaled(0.3, 1), 0)))
	require.InDelta(t, 3000, n, 4*math.Sqrt(10_000*0.3*0.7), "some of them, by chance")
	require.InDelta(t, 3000, many.Scaled(0.3, 1).Requests(time.Minute), 1e-6)
}

// TestTracesOfRealServices reads traces of real services where they lie beside the repository.
func TestTracesOfRealServices(t *testing.T) {
	dir := os.Getenv("SCANFLOW_TRACES")
	if dir == "" {
		t.Skip("SCANFLOW_TRACES names no folder of traces")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		trace, err := ReadTrace(f)
		require.NoError(t, err)
		span := trace.Span()
		require.Greater(t, span, 10*time.Minute)
		share := 2000 / trace.Requests(span)
		require.InDelta(t, 2000, len(drawn(trace.Scaled(share, 1), 0)), 200)
		t.Logf("%s: %s, %.0f requests", filepath.Base(f), span, trace.Requests(span))
	}
}
