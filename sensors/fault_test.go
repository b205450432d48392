package sensors_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

const emptyVector = `{"status":"success","data":{"resultType":"vector","result":[]}}`

func TestPrometheusFaults(t *testing.T) {
	const jsonType = "application/json"
	vector := func(result string) http.HandlerFunc {
		return text(200, jsonType, `{"status":"success","data":{"resultType":"vector","result":`+result+`}}`)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
		is     error
	}{
		"drips past the deadline":      {drip(`{"status":"success",`), "no full answer in time", context.DeadlineExceeded},
		"never answers":                {hang, "no full answer in time", context.DeadlineExceeded},
		"500":                          {text(500, jsonType, `{"status":"error"}`), "server error: 500", nil},
		"500 in HTML":                  {text(500, "text/html", "<html>oops</html>"), "server error: 500", nil},
		"401":                          {text(401, "text/plain", "no"), "client error: 401", nil},
		"422":                          {text(422, jsonType, `{"status":"error","errorType":"execution","error":"many-to-many"}`), "execution: many-to-many", nil},
		"503":                          {text(503, jsonType, `{"status":"error","errorType":"timeout","error":"query timed out"}`), "timeout: query timed out", nil},
		"error with status 200":        {text(200, jsonType, `{"status":"error","errorType":"internal","error":"lost"}`), "internal: lost", nil},
		"HTML":                         {text(200, "text/html; charset=utf-8", "<html>Log in</html>"), "a web page, not JSON", nil},
		"HTML that says it is JSON":    {text(200, jsonType, "<html>Log in</html>"), "bad_response", nil},
		"nothing":                      {text(200, jsonType, ""), "bad_response", nil},
		"empty object":                 {text(200, jsonType, "{}"), `its status is not "success", but absent`, nil},
		"no data":                      {text(200, jsonType, `{"status":"success","data":null}`), "no result", nil},
		"null vector":                  {vector(`null`), "no result", nil},
		"sample without a value":       {vector(`[{"metric":{"a":"b"}}]`), "no result", nil},
		"sample with a null value":     {vector(`[{"metric":{"a":"b"},"value":null}]`), "query Prometheus", nil},
		"value that is no number":      {vector(`[{"metric":{},"value":[1,"many"]}]`), "bad_response", nil},
		"null scalar":                  {text(200, jsonType, `{"status":"success","data":{"resultType":"scalar","result":null}}`), "query Prometheus", nil},
		"string":                       {text(200, jsonType, `{"status":"success","data":{"resultType":"string","result":[1,"0"]}}`), "string", nil},
		"matrix for an instant's null": {text(200, jsonType, `{"status":"success","data":{"resultType":"matrix","result":null}}`), "the answer is a matrix", nil},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(emptyVector))
		}, "cut short", nil},
		"redirect to elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/?token=t", http.StatusTemporaryRedirect)
		}, "redirected to another host: http://elsewhere.invalid", sensors.ErrRedirect},
		"redirect round and round": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, "redirected more than 5 times", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "a"}, sensors.Env{Prometheus: serve(t, c.answer)})
			err := failing(t, s, target("x", "a"))
			require.ErrorContains(t, err, "query Prometheus")
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "token=t")
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
		})
	}
}

func TestPrometheusDownAndUpAgain(t *testing.T) {
	srv := httptest.NewServer(text(200, "application/json", emptyVector))
	address := srv.Listener.Addr().String()
	srv.Close()
	s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "a"}, sensors.Env{Prometheus: "http://" + address})
	require.ErrorIs(t, failing(t, s, target("x", "a")), syscall.ECONNREFUSED)

	address2, _ := prom(t, one("a", time.Now(), 1))
	s = build(t, "prometheus", &sensors.PrometheusConfig{Query: "a"}, sensors.Env{Prometheus: address2})
	require.Equal(t, engine.OK, sampleAt(t, s, time.Now(), target("x", "a"))[0].State)
}

// A response of 100 MB is refused: unread if its length is announced, else after the limit.
func TestPrometheusHugeAnswer(t *testing.T) {
	for announced, most := range map[bool]uint64{true: 8 << 20, false: 420 << 20} {
		t.Run(fmt.Sprintf("announced=%v", announced), func(t *testing.T) {
			s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "a"}, sensors.Env{Prometheus: serve(t, huge(`{"status":"success",`, announced))})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := s.Sample(ctx, time.Now(), []engine.Target{target("x", "a")})
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, sensors.ErrTooLarge)
			require.ErrorContains(t, err, "more than 64 MiB")
			require.Less(t, after.TotalAlloc-before.TotalAlloc, most)
		})
	}
}

func TestRedirectOnTheSameHostIsFollowedWithCredentials(t *testing.T) {
	t.Setenv("TOKEN", "s3cret")
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/sub") {
			http.Redirect(w, r, "/sub"+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		if r.Header.Get("Authorization") != "Bearer s3cret" || r.FormValue("query") != "a" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		text(200, "application/json", emptyVector)(w, r)
	})
	s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "a", BearerToken: &manifest.Secret{Env: "TOKEN"}}, sensors.Env{Prometheus: address})
	require.Equal(t, engine.Empty, sampleAt(t, s, time.Now(), target("x", "a"))[0].State)
}

// No error of any sensor contains the credentials, whatever a server does with them, also not
// in the encoding of the header.
func TestNoSecretInErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("t0ken-of-file\n"), 0o600))
	t.Setenv("PASSWORD", "hunter2")
	encoded := base64.StdEncoding.EncodeToString([]byte("me:hunter2"))
	basic := &manifest.BasicAuth{Username: "me", Password: manifest.Secret{Env: "PASSWORD"}}
	bearer := &manifest.Secret{File: file}
	unsaid := []string{"hunter2", "t0ken-of-file", encoded}

	echo := func(status int, kind string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			header := r.Header.Get("Authorization")
			if header != "Basic "+encoded && header != "Bearer t0ken-of-file" {
				t.Errorf("credentials did not arrive: %q", header)
			}
			said := header + " " + strings.Join(unsaid, " ")
			text(status, kind, fmt.Sprintf(`{"status":"error","errorType":"%s","error":%q}`, said, said))(w, r)
		}
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://hunter2.invalid/", http.StatusTemporaryRedirect)
	}
	metrics := func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "bad{%s} x\n", r.Header.Get("Authorization"))
	}
	down := httptest.NewServer(nil)
	down.Close()

	for name, address := range map[string]string{
		"400": serve(t, echo(400, "application/json")), "401": serve(t, echo(401, "text/plain")),
		"500": serve(t, echo(500, "text/html")), "200": serve(t, echo(200, "application/json")),
		"redirect": serve(t, elsewhere), "page": serve(t, metrics), "down": down.URL, "slow": serve(t, drip("")),
	} {
		for kind, config := range map[string]any{
			"prometheus": &sensors.PrometheusConfig{Query: "a", Address: address, BasicAuth: basic},
			"scrape":     &sensors.ScrapeConfig{URL: address + "/?x={name}", Metric: "a", BearerToken: bearer},
			"http":       &sensors.HTTPConfig{URL: address + "/?x={name}", Pointer: "/none", BasicAuth: basic},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				s := build(t, kind, config, sensors.Env{})
				ctx, cancel := context.WithTimeout(t.Context(), deadline)
				defer cancel()
				reading, err := s.Sample(ctx, time.Now(), []engine.Target{target("x", "a")})
				said := ""
				if err != nil {
					said = err.Error()
				} else {
					require.NotEqual(t, engine.OK, reading[0].State)
					said = reading[0].Problem
				}
				require.NotEmpty(t, said)
				for _, secret := range unsaid {
					if secret == "t0ken-of-file" && kind != "scrape" || secret != "t0ken-of-file" && kind == "scrape" {
						continue // only its own
					}
					require.NotContains(t, said, secret)
				}
				require.NotContains(t, said, "x=a", "nor are the parameters")
			})
		}
	}
}

func TestSecretsAreReadAnewAndMissingOnesToldAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("first"), 0o600))
	want := "first"
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+want {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		text(200, "application/json", emptyVector)(w, r)
	})
	config := &sensors.PrometheusConfig{Query: "a", Address: address, BearerToken: &manifest.Secret{File: file}}
	s := build(t, "prometheus", config, sensors.Env{})
	sampleAt(t, s, time.Now(), target("x", "a"))
	want = "second"
	require.ErrorContains(t, failing(t, s, target("x", "a")), "401")
	require.NoError(t, os.WriteFile(file, []byte("second"), 0o600))
	sampleAt(t, s, time.Now(), target("x", "a"))
	require.NoError(t, os.Remove(file))
	require.ErrorIs(t, failing(t, s, target("x", "a")), os.ErrNotExist)

	for name, c := range map[string]struct {
		config *sensors.PrometheusConfig
		want   string
	}{
		"environment": {&sensors.PrometheusConfig{Query: "a", Address: address, BearerToken: &manifest.Secret{Env: "SCANFLOW_TEST_NOT_SET"}}, "bearerToken: environment variable SCANFLOW_TEST_NOT_SET is not set"},
		"file":        {config, "bearerToken: read secret"},
		"password":    {&sensors.PrometheusConfig{Query: "a", Address: address, BasicAuth: &manifest.BasicAuth{Username: "me", Password: manifest.Secret{File: file}}}, "basicAuth.password: read secret"},
		"CA":          {&sensors.PrometheusConfig{Query: "a", Address: address, TLS: &sensors.TLS{CAFile: file}}, "tls: read caFile"},
		"certificate": {&sensors.PrometheusConfig{Query: "a", Address: address, TLS: &sensors.TLS{CertFile: file, KeyFile: file}}, "tls: read certFile and keyFile"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sensors.Kinds["prometheus"].New(c.config, sensors.Env{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(text(200, "application/json", emptyVector))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the clients that refuse it
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	notPEM := filepath.Join(t.TempDir(), "not.pem")
	require.NoError(t, os.WriteFile(notPEM, []byte("hello"), 0o600))
	sensor := func(c *sensors.TLS) (engine.Sensor, error) {
		return sensors.Kinds["prometheus"].New(&sensors.PrometheusConfig{Query: "a", Address: srv.URL, TLS: c}, sensors.Env{})
	}
	for name, c := range map[string]struct {
		tls  *sensors.TLS
		want string
	}{
		"trusted":       {&sensors.TLS{CAFile: ca}, ""},
		"name":          {&sensors.TLS{CAFile: ca, ServerName: "example.com"}, ""},
		"unverified":    {&sensors.TLS{InsecureSkipVerify: true}, ""},
		"not trusted":   {nil, "certificate"},
		"another name":  {&sensors.TLS{CAFile: ca, ServerName: "other.org"}, "other.org"},
		"not PEM":       {&sensors.TLS{CAFile: notPEM}, "has no certificate in PEM"},
		"http to https": {&sensors.TLS{}, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sensor(c.tls)
			if err == nil {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				_, err = s.Sample(ctx, time.Now(), []engine.Target{target("x", "a")})
			}
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

func TestCanceledSampleSaysSo(t *testing.T) {
	s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "a"}, sensors.Env{Prometheus: serve(t, drip(""))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Sample(ctx, time.Now(), []engine.Target{target("x", "a")})
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}
