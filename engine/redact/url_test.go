package redact_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/redact"
)

func TestURLHidesUserAndQuery(t *testing.T) {
	for raw, want := range map[string]string{
		"https://me:hunter2@host:8443/a/b?token=hunter2#hunter2": "https://host:8443/a/b",
		"http://host":             "http://host",
		"http://me:hunter2@ho st": "(an unreadable address)",
	} {
		require.Equal(t, want, redact.URL(raw))
	}
}

func TestWithoutURL(t *testing.T) {
	resp, err := http.Get("http://127.0.0.1:1/?token=hunter2")
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
	require.ErrorContains(t, err, "hunter2")
	require.NotContains(t, redact.WithoutURL(err).Error(), "hunter2")

	lost := errors.New("lost")
	require.Equal(t, lost, redact.WithoutURL(fmt.Errorf("asked: %w", &url.Error{Op: "Get", URL: "http://x?token=hunter2", Err: lost})))
	require.Equal(t, lost, redact.WithoutURL(lost))
}
