package load

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxTraceLines bounds the lines of a trace, after unpacking.
	maxTraceLines = 20_000_000
	// maxTraceLine bounds the length of a line.
	maxTraceLine = 64 << 10
	// maxTraceErrors bounds the mistakes that are listed; the others are counted.
	maxTraceErrors = 100
)

// ReadTrace reads a trace from a file, plain or gzipped:
//
//	second,requests   how many requests each second had
//	minute,requests   how many each minute had; a minute is a number or a time (RFC 3339)
//	second[,...]      one request a line, with its time as a decimal; other columns are not read
//
// The trace starts at the time of the first line. Seconds or minutes without a line have
// no requests. The error lists every invalid line.
func ReadTrace(name string) (*Trace, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	defer func() { _ = f.Close() }()
	return readTrace(name, f)
}

func readTrace(name string, r io.Reader) (*Trace, error) {
	b := bufio.NewReader(r)
	if magic, err := b.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unpacked, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("trace: %s: it is not gzip: %w", name, err)
		}
		b = bufio.NewReader(unpacked)
	}
	t := traceReader{name: name, trace: &Trace{}}
	lines := bufio.NewScanner(b)
	lines.Buffer(make([]byte, 4096), maxTraceLine)
	for lines.Scan() {
		t.number++
		if t.number > maxTraceLines {
			t.bad("there are more than %d lines; cut the trace", maxTraceLines)
			break
		}
		line := strings.TrimSpace(string(bytes.TrimPrefix(lines.Bytes(), []byte("\ufeff"))))
		if line == "" {
			continue
		}
		t.line(line)
		if t.parse == nil {
			break // without a valid header, the other lines can't be parsed
		}
	}
	if err := lines.Err(); err != nil {
		t.number++
		if errors.Is(err, bufio.ErrTooLong) {
			t.bad("the line has more than %d bytes", maxTraceLine)
		} else {
			t.bad("the file is damaged, or was cut off: %w", err)
		}
	}
	switch {
	case len(t.errs) > 0:
	case t.rows == 0:
		t.number = max(t.number, 1)
		t.bad("there is no line with requests after the header")
	case t.trace.Interval > 0 && slices.Max(t.trace.Counts) == 0:
		t.bad("no line has a request")
	}
	if t.more > 0 {
		t.errs = append(t.errs, fmt.Errorf("trace: %s: and %d more lines like these", name, t.more))
	}
	return t.trace, errors.Join(t.errs...)
}

// traceReader parses a trace line by line.
type traceReader struct {
	name   string
	trace  *Trace
	number int
	rows   int
	parse  func(fields []string)
	errs   []error
	more   int
	began  bool
	first  time.Time // the first minute, if minutes are times
	zero   float64   // the first number
}

func (t *traceReader) bad(format string, args ...any) {
	if len(t.errs) == maxTraceErrors {
		t.more++
		return
	}
	t.errs = append(t.errs, fmt.Errorf("trace: %s:%d: "+format, append([]any{t.name, t.number}, args...)...))
}

func (t *traceReader) line(line string) {
	fields := strings.Split(line, ",")
	for i, f := range fields {
		f = strings.TrimSpace(f)
		if len(f) >= 2 && f[0] == '"' && f[len(f)-1] == '"' {
			f = f[1 : len(f)-1]
		}
		fields[i] = f
	}
	if t.parse == nil {
		t.header(fields)
		return
	}
	t.rows++
	t.parse(fields)
}

func (t *traceReader) header(fields []string) {
	shown := brief(strings.Join(fields, ","))
	for i := range fields {
		fields[i] = strings.ToLower(fields[i])
	}
	counts := len(fields) == 2 && fields[1] == "requests"
	switch {
	case len(fields) > 2 && slices.Contains(fields[1:], "requests"): // would be ignored as another column
		t.bad("the header %q has requests beside other columns; keep %s,requests alone", shown, fields[0])
	case fields[0] == "second" && counts:
		t.trace.Interval, t.parse = time.Second, t.count
	case fields[0] == "minute" && counts:
		t.trace.Interval, t.parse = time.Minute, t.count
	case fields[0] == "second":
		t.parse = t.arrival
		if len(fields) > 1 {
			t.trace.Unread = fields[1:]
		}
	default:
		t.bad("the header %q is none of second,requests; minute,requests; second (with one request a line)", shown)
	}
}

// count parses a line of second,requests or minute,requests.
func (t *traceReader) count(fields []string) {
	if len(fields) != 2 {
		t.bad("it has %d columns, and the header has 2", len(fields))
		return
	}
	at, err := t.index(fields[0])
	if err != nil {
		t.bad("%w", err)
		return
	}
	n, err := plainNumber(fields[1])
	switch limit := MaxRate * t.trace.Interval.Seconds(); {
	case err != nil:
		t.bad("requests: %w", err)
		return
	case n > limit:
		t.bad("requests: %s is more than %.0f, which no generator sends", fields[1], limit)
		return
	}
	switch {
	case at < len(t.trace.Counts):
		t.bad("%s is not after the line before it", fields[0])
		return
	case at >= maxTraceLines:
		t.bad("%s is %d intervals after the first line, and at most %d are read", fields[0], at, maxTraceLines)
		return
	}
	for len(t.trace.Counts) < at {
		t.trace.Counts = append(t.trace.Counts, 0)
	}
	t.trace.Counts = append(t.trace.Counts, n)
}

// index returns the number of intervals between the first line and this one.
func (t *traceReader) index(text string) (int, error) {
	v, err := plainNumber(text)
	if err != nil {
		if t.trace.Interval != time.Minute {
			return 0, fmt.Errorf("second: %w", err)
		}
		when, timeErr := time.Parse(time.RFC3339, text)
		if timeErr != nil {
			return 0, fmt.Errorf("minute: %q is neither a number of at least 0 nor a time such as 2026-01-02T15:04:00Z", brief(text))
		}
		if !t.began {
			t.first, t.began = when, true
		}
		if t.first.IsZero() {
			return 0, fmt.Errorf("minute: %q is a time, and the first line has a number", text)
		}
		v = when.Sub(t.first).Minutes()
		if v < 0 {
			return -1, nil
		}
	} else {
		if !t.began {
			t.zero, t.began = v, true
		}
		if !t.first.IsZero() {
			return 0, fmt.Errorf("minute: %q is a number, and the first line has a time", text)
		}
		v -= t.zero
	}
	if v != math.Trunc(v) {
		return 0, fmt.Errorf("%q is not whole intervals after the first line", text)
	}
	return int(max(-1, min(v, maxTraceLines))), nil
}

// arrival parses a line that is one request.
func (t *traceReader) arrival(fields []string) {
	v, err := plainNumber(fields[0])
	if err != nil {
		t.bad("second: %w", err)
		return
	}
	if !t.began {
		t.zero, t.began = v, true
	}
	seconds := v - t.zero
	at := time.Duration(math.Round(seconds * float64(time.Second)))
	n := len(t.trace.Times)
	switch {
	case seconds > maxTraceLines:
		t.bad("second: %s is more than %d s after the first line", fields[0], maxTraceLines)
	case seconds < 0 || n > 0 && at < t.trace.Times[n-1]:
		t.bad("second: %s is before the line before it", fields[0])
	default:
		t.trace.Times = append(t.trace.Times, at)
	}
}

// plainNumber parses a decimal number of at least 0.
func plainNumber(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xX_pPiInN") || v < 0 || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a number of at least 0", brief(text))
	}
	return v, nil
}

// brief clips the content of a line for a message.
func brief(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return text[:most-20] + "..."
}
