package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

// maxRecordBytes bounds the length of a line of the text log.
const maxRecordBytes = 16 << 10

// newLog returns the logger of a process. Each record is one line, of at most maxRecordBytes
// in the text format, and each value has at most engine.TextMost bytes.
func newLog(o hclog.LoggerOptions) hclog.Logger {
	if !o.JSONFormat {
		o.Output = lineWriter{o.Output}
	}
	return boundedLog{hclog.New(&o), !o.JSONFormat}
}

// lineWriter quotes line breaks and control characters within a record of the text log:
// hclog quotes them in values, but not in messages. hclog writes each record in one call.
type lineWriter struct{ io.Writer }

func (w lineWriter) Write(record []byte) (int, error) {
	line := plot.Line(string(bytes.TrimSuffix(record, []byte("\n"))))
	if len(line) > maxRecordBytes {
		line = plot.Line(line[:maxRecordBytes]) + "..."
	}
	if _, err := io.WriteString(w.Writer, line+"\n"); err != nil {
		return 0, err
	}
	return len(record), nil
}

// boundedLog truncates the values of each record.
type boundedLog struct {
	hclog.Logger
	text bool
}

func (l boundedLog) bounded(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			out[i] = l.value(v)
		case error:
			out[i] = l.lines(v.Error())
		case fmt.Stringer:
			if out[i] = arg; l.text {
				out[i] = l.value(v.String())
			}
		default:
			out[i] = arg
		}
	}
	return out
}

// lines returns a text of several lines, such as the mistakes of a file, as a list.
func (l boundedLog) lines(text string) any {
	lines := strings.Split(engine.Clip(text), "\n")
	if !l.text || len(lines) == 1 {
		return l.value(text)
	}
	for i := range lines {
		lines[i] = plot.Line(lines[i])
	}
	return lines
}

func (l boundedLog) value(text string) string {
	if text = engine.Clip(text); l.text {
		return plot.Line(text)
	}
	return text // JSON escapes
}

func (l boundedLog) Log(level hclog.Level, msg string, args ...any) {
	if level >= l.GetLevel() {
		l.Logger.Log(level, engine.Clip(msg), l.bounded(args)...)
	}
}

func (l boundedLog) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }
func (l boundedLog) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l boundedLog) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l boundedLog) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l boundedLog) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

func (l boundedLog) With(args ...any) hclog.Logger {
	return boundedLog{l.Logger.With(l.bounded(args)...), l.text}
}

func (l boundedLog) Named(name string) hclog.Logger {
	return boundedLog{l.Logger.Named(name), l.text}
}

func (l boundedLog) ResetNamed(name string) hclog.Logger {
	return boundedLog{l.Logger.ResetNamed(name), l.text}
}
