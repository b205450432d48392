package main

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func askReady(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := newReady()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

// The command says what /readyz says, by its exit status too.
func TestReadyIsWhatReadyzSays(t *testing.T) {
	var asked atomic.Int32
	var until atomic.Int32
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if asked.Add(1) <= until.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("the journal is full\nnobody leads\n"))
		}
	})
	server := httptest.NewServer(answer)
	defer server.Close()

	out, err := askReady(t, "--server", server.URL)
	require.NoError(t, err)
	require.Equal(t, "ready\n", out)

	until.Store(asked.Load() + 1)
	_, err = askReady(t, "--server", server.URL+"/")
	require.ErrorContains(t, err, "is not ready (503 Service Unavailable): the journal is full; nobody leads")

	until.Store(asked.Load() + 1)
	out, err = askReady(t, "--server", server.URL, "--wait", "20s")
	require.NoError(t, err, "the second answer is yes")
	require.Equal(t, "ready\n", out)

	secure := httptest.NewTLSServer(answer)
	defer secure.Close()
	_, err = askReady(t, "--server", secure.URL)
	require.ErrorContains(t, err, "certificate")
	ca := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600))
	_, err = askReady(t, "--server", secure.URL, "--ca-file", ca)
	require.NoError(t, err)

	server.Close()
	_, err = askReady(t, "--server", server.URL)
	require.ErrorContains(t, err, "no scanflow answers at 127.0.0.1:")
	_, err = askReady(t, "--server", "127.0.0.1")
	require.ErrorContains(t, err, "--server: wants an address like")
	_, err = askReady(t, "--wait", "-1s")
	require.ErrorContains(t, err, "--wait")
}
