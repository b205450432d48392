package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

const hostile = "ok\n2026-01-01T00:00:00.000Z [INFO]  scanflow: forged\r\x1b[2J\u202e\u200b\u009b31m\xff"

// Nothing from outside begins a line of the log, moves a cursor, or makes a line long.
func TestARecordIsOneLine(t *testing.T) {
	var out bytes.Buffer
	log := newLog(hclog.LoggerOptions{Name: "scanflow", Level: hclog.Trace, Output: &out})
	for _, write := range []func(){
		func() { log.Info("decided", "reason", hostile) },
		func() { log.Warn(hostile) },
		func() { log.Error("failed", "error", errors.New(hostile)) },
		func() { log.Debug("target", "target", engine.TargetID{Namespace: "ml", Name: hostile}) },
		func() { log.Trace("list", "names", []string{hostile}) },
		func() { log.With("agent", hostile).Info("fired") },
		func() { log.Named(hostile).Info("fired") },
		func() { log.ResetNamed(hostile).Log(hclog.Info, "fired") },
		func() { log.StandardLogger(&hclog.StandardLoggerOptions{}).Print("http: " + hostile) },
		func() { log.Info("odd", hostile, 1, "without") },
	} {
		out.Reset()
		write()
		got := out.String()
		require.Equal(t, 1, strings.Count(got, "\n"), got)
		require.True(t, strings.HasSuffix(got, "\n"))
		require.Contains(t, got, "forged")
		for _, bad := range []string{"\r", "\x1b", "\u202e", "\u200b", "\u009b", "\xff"} {
			require.NotContains(t, got, bad)
		}
	}
	out.Reset()
	long := strings.Repeat("x", 1<<20)
	log.Info(long, "a", long, "b", errors.New(long), "c", []string{long})
	require.LessOrEqual(t, out.Len(), maxRecordBytes+len("...\n"))
}

func TestARecordOfJSONIsBounded(t *testing.T) {
	var out bytes.Buffer
	log := newLog(hclog.LoggerOptions{JSONFormat: true, Output: &out})
	log.With("agent", hostile).Info("decided", "reason", hostile, "long", strings.Repeat("x", 1<<20))
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	var got map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.Equal(t, strings.ToValidUTF8(hostile, "\ufffd"), got["reason"])
	require.Less(t, out.Len(), 2*engine.TextMost)
}
