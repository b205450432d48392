package sensors_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// withHeaders returns a sensor of each kind that uses HTTP, for an address.
func withHeaders(address string, headers manifest.Headers) map[string]any {
	shares := sensors.DriftReference{Shares: map[string]float64{"a": 0.5, "b": 0.5}}
	return map[string]any{
		"prometheus": &sensors.PrometheusConfig{Query: "a", Address: address, Headers: headers},
		"drift":      &sensors.DriftConfig{Query: "a", Bins: "c", MinSamples: 1, Smoothing: 0.001, Reference: shares, Address: address, Headers: headers},
		"http":       &sensors.HTTPConfig{URL: address + "/{name}", Headers: headers},
		"scrape":     &sensors.ScrapeConfig{URL: address + "/metrics", Metric: "a", Headers: headers},
		"mlflow":     &sensors.MLflowConfig{URL: address, Runs: &sensors.MLflowRuns{Experiment: "{name}", Take: "count"}, Headers: headers},
	}
}

func said(t *testing.T, s engine.Sensor) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := s.Sample(ctx, now, []engine.Target{target("x", "a")})
	if err != nil {
		return err.Error()
	}
	require.Equal(t, engine.Error, r[0].State)
	return r[0].Problem
}

// Every sensor that uses HTTP sends its headers, reads the secret ones again for each request,
// and reveals no secret even if the server echoes it.
func TestHeadersAreSent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	t.Setenv("TENANT_KEY", "env-s3cret")
	headers := manifest.Headers{"X-Scope-OrgID": {Plain: "team-a"}, "x-key": {Secret: manifest.Secret{Env: "TENANT_KEY"}}, "Authorization": {Secret: manifest.Secret{File: file}}}
	var mu sync.Mutex
	got := map[string]bool{}
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[fmt.Sprint(r.Header["X-Scope-Orgid"], r.Header["X-Key"], r.Header["Authorization"])] = true
		text(422, "application/json", fmt.Sprintf(`{"status":"error","errorType":"execution","error":%q,"error_code":"X","message":%[1]q}`,
			"not for "+r.Header.Get("X-Scope-OrgID")+" with "+r.Header.Get("X-Key")+" and "+r.Header.Get("Authorization")))(w, r)
	})
	for kind, config := range withHeaders(address, headers) {
		t.Run(kind, func(t *testing.T) {
			require.NoError(t, os.WriteFile(file, []byte("ApiKey f1le\n"), 0o600))
			s := build(t, kind, config, sensors.Env{})
			for _, key := range []string{"ApiKey f1le", "ApiKey another"} {
				require.NoError(t, os.WriteFile(file, []byte(key+"\n"), 0o600))
				mu.Lock()
				clear(got)
				mu.Unlock()
				text := said(t, s)
				require.NotContains(t, text, "s3cret")
				require.NotContains(t, text, key)
				require.Equal(t, map[string]bool{"[team-a] [env-s3cret] [" + key + "]": true}, got)
			}
		})
	}
}

// The content of a secret's file is checked when it is read. It may contain a line break.
func TestSecretThatCanBeNoHeader(t *testing.T) {
	for _, value := range []string{"a\nX-Other: 1", "a\x00b", "ø"} {
		file := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(file, []byte(value), 0o600))
		for kind, config := range withHeaders("http://127.0.0.1:1", manifest.Headers{"X-Key": {Secret: manifest.Secret{File: file}}}) {
			_, err := sensors.Kinds[kind].New(config, sensors.Env{})
			require.ErrorContains(t, err, "headers.X-Key: the secret can't be sent in a header; use printable ASCII on one line", kind)
			require.NotContains(t, err.Error(), value)
		}
	}
	for kind, config := range withHeaders("http://127.0.0.1:1", manifest.Headers{"X-Key": {Secret: manifest.Secret{Env: "NOT_THERE"}}}) {
		_, err := sensors.Kinds[kind].New(config, sensors.Env{})
		require.ErrorContains(t, err, "headers.X-Key: environment variable NOT_THERE is not set", kind)
	}
}

// A redirect to another host is not followed, and no header is sent there, secret or not.
func TestHeadersDoNotFollowARedirect(t *testing.T) {
	t.Setenv("TENANT_KEY", "env-s3cret")
	var mu sync.Mutex
	var heard []http.Header
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, r.Header)
	}))
	defer elsewhere.Close()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	for kind, config := range withHeaders(address, manifest.Headers{"X-Team": {Plain: "a"}, "X-Key": {Secret: manifest.Secret{Env: "TENANT_KEY"}}}) {
		require.NotEmpty(t, said(t, build(t, kind, config, sensors.Env{})))
	}
	require.Empty(t, heard)
}

// A Kubernetes Secret is read for the address that it is sent to. If that is refused, nothing
// is sent.
func TestHeaderOfAKubernetesSecret(t *testing.T) {
	var mu sync.Mutex
	keys := map[string]int{}
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		keys[r.Header.Get("X-Key")]++
		w.WriteHeader(http.StatusUnauthorized)
	})
	allowed := true
	env := sensors.Env{Namespace: "ns", Secrets: func(_ context.Context, namespace string, ref manifest.SecretKeyRef, to *url.URL) (string, error) {
		if !allowed {
			return "", errors.New("the Secret may not be sent to " + to.Host)
		}
		return namespace + "/" + ref.Name + "/" + ref.Key, nil
	}}
	for kind, config := range withHeaders(address, manifest.Headers{"X-Key": {Secret: manifest.Secret{SecretKeyRef: &manifest.SecretKeyRef{Name: "s", Key: "k"}}}}) {
		clear(keys)
		allowed = false
		s := build(t, kind, config, env)
		require.Contains(t, said(t, s), "headers.X-Key: the Secret may not be sent to "+strings.TrimPrefix(address, "http://"), kind)
		require.Empty(t, keys, kind)
		allowed = true
		require.NotEmpty(t, said(t, s))
		require.Equal(t, []int{1}, values(keys), kind)
		require.Contains(t, keys, "ns/s/k")
	}
}

func values(m map[string]int) (out []int) {
	for _, n := range m {
		out = append(out, n)
	}
	return out
}

// The look-back support of one tenant's server is not used for another's.
func TestLookBackIsKnownByTenant(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.Header.Get("X-Scope-OrgID")]++
		mu.Unlock()
		text(200, "application/json", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"1"]}]}}`)(w, r)
	})
	known := sensors.NewLookbacks()
	for _, tenant := range []string{"a", "b", "a"} {
		s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "x", Headers: manifest.Headers{"X-Scope-OrgID": {Plain: tenant}}}, sensors.Env{Prometheus: address, StaleAfter: time.Minute, Lookbacks: known})
		_, _ = doubt(t, s, now, time.Time{})
	}
	require.Equal(t, map[string]int{"a": 2, "b": 2}, asked)
}
