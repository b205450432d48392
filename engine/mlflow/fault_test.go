package mlflow_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// calls are one of each way in which the client speaks.
var calls = map[string]func(context.Context, *mlflow.Client) error{
	"get":  func(ctx context.Context, c *mlflow.Client) error { _, err := c.Run(ctx, "r"); return err },
	"post": func(ctx context.Context, c *mlflow.Client) error { return c.SetRunTag(ctx, "r", "k", "v") },
	"delete": func(ctx context.Context, c *mlflow.Client) error {
		return c.DeleteVersionTag(ctx, "m", "1", "k")
	},
	"page": func(ctx context.Context, c *mlflow.Client) error {
		_, err := c.SearchRuns(ctx, mlflow.Search{ExperimentIDs: []string{"1"}})
		return err
	},
}

func TestFaultsOfAServer(t *testing.T) {
	for name, row := range map[string]struct {
		answer   http.HandlerFunc
		says     string
		passing  bool
		notFound bool
	}{
		"missing":     {answer(404, `{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no   such\nthing"}`), "answered 404 RESOURCE_DOES_NOT_EXIST: no such thing", false, true},
		"refused":     {answer(400, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "bad"}`), "answered 400 INVALID_PARAMETER_VALUE: bad", false, false},
		"not let in":  {answer(401, `<html>who are you</html>`), "answered 401 Unauthorized", false, false},
		"not MLflow":  {answer(404, `<html>404</html>`), "there is no such call of MLflow's API; check the address", false, false},
		"broken":      {answer(500, `{"error_code": "INTERNAL_ERROR", "message": "oops"}`), "answered 500 INTERNAL_ERROR: oops", true, false},
		"down":        {answer(503, `upstream`), "answered 503 Service Unavailable", true, false},
		"too fast":    {answer(429, `{"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slow"}`), "answered 429 REQUEST_LIMIT_EXCEEDED", true, false},
		"hangs":       {hang, "no full answer in time", true, false},
		"drips":       {drip, "no full answer in time", true, false},
		"cut":         {cutShort, "the answer was cut short", true, false},
		"hangs up":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF", true, false},
		"long words":  {answer(400, `{"error_code": "X", "message": "`+strings.Repeat("w", 5000)+`"}`), "www...", false, false},
		"other's 404": {answer(404, `{"error_code": "ENDPOINT_NOT_FOUND", "message": "none"}`), "ENDPOINT_NOT_FOUND", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, row.answer, hurry)
			for kind, call := range calls {
				began := time.Now()
				err := call(soon(t), c)
				require.ErrorContains(t, err, row.says, kind)
				require.ErrorContains(t, err, "/api/2.0/mlflow/", kind)
				require.Equal(t, row.passing, mlflow.Retryable(err), "%s: %v", kind, err)
				require.Equal(t, row.notFound, errors.Is(err, mlflow.ErrNotFound), "%s: %v", kind, err)
				require.Less(t, len(err.Error()), 800, kind)
				require.Less(t, time.Since(began), 5*time.Second, kind)
			}
		})
	}
}

// drip sends a byte now and then, for as long as the client listens.
func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := w.Write([]byte(" "))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			if err != nil {
				return
			}
		}
	}
}

func cutShort(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte(`{"run": `))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestAnAnswerThatIsNone(t *testing.T) {
	c := serve(t, answer(200, `<html>welcome</html>`))
	for _, kind := range []string{"get", "page"} {
		err := calls[kind](soon(t), c)
		require.ErrorContains(t, err, "the answer is not what MLflow would say")
		require.False(t, mlflow.Retryable(err))
	}
	c = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		block := bytes.Repeat([]byte(" "), 1<<20)
		for range 66 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	require.ErrorIs(t, calls["get"](soon(t), c), mlflow.ErrTooLarge)
}

func TestACallThatWasCalledOffIsNotRetryable(t *testing.T) {
	c := serve(t, hang)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := calls["get"](ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, mlflow.Retryable(err))

	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	c, err = mlflow.New(mlflow.Options{URL: nobody.URL})
	require.NoError(t, err)
	require.True(t, mlflow.Retryable(calls["get"](soon(t), c)), "refused now, and there in a moment")
}

// An error quotes what a server wrote for a number, which may be a secret that it was sent.
func TestNoCredentialInAnErrorOfAnotherForm(t *testing.T) {
	for _, token := range []string{"t0ken-0123456789", "t0ken-0123456789-" + strings.Repeat("x", 60)} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			answer(200, `{"run": {"info": {"start_time": "`+sent+`"}, "data": {"metrics": [{"key": "a", "value": "`+sent+`"}]}}}`)(w, r)
		}, func(o *mlflow.Options) {
			o.Headers = mlflow.Authorization(func(context.Context) (string, error) { return "Bearer " + token, nil })
		})
		_, err := c.Run(t.Context(), "r")
		require.ErrorContains(t, err, "the answer is not what MLflow would say")
		require.NotContains(t, err.Error(), "t0ken")
	}
}

// Never 8: a server that echoes what it was sent must not bring it into an error.
func TestNoCredentialInAnError(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("me:s3cret:pass"))
	for header, secrets := range map[string][]string{
		"Bearer t0ken":   {"t0ken"},
		"Basic " + basic: {"s3cret", basic},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			sent := r.Header.Get("Authorization")
			_, password, _ := r.BasicAuth()
			answer(403, `{"error_code": "PERMISSION_DENIED", "message": "you sent `+sent+` and `+password+`"}`)(w, r)
		}, func(o *mlflow.Options) {
			o.Headers = mlflow.Authorization(func(context.Context) (string, error) { return header, nil })
		})
		for _, call := range calls {
			err := call(soon(t), c)
			require.ErrorContains(t, err, "you sent *** and")
			for _, s := range secrets {
				require.NotContains(t, err.Error(), s)
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	var got atomic.Value
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		answer(200, `{}`)(w, r)
	})
	require.NoError(t, calls["get"](soon(t), c))
	require.Equal(t, "", got.Load())
	token := "one"
	c = c.As(mlflow.Authorization(func(context.Context) (string, error) { return "Bearer " + token, nil }))
	require.NoError(t, calls["post"](soon(t), c))
	require.Equal(t, "Bearer one", got.Load())
	token = "two"
	require.NoError(t, calls["page"](soon(t), c))
	require.Equal(t, "Bearer two", got.Load(), "asked again for each request")
	c = c.As(mlflow.Authorization(func(context.Context) (string, error) { return "", errors.New("no variable TOKEN") }))
	err := calls["get"](soon(t), c)
	require.ErrorContains(t, err, "no variable TOKEN")
	require.False(t, mlflow.Retryable(err))
}

// Headers of one's own are sent, those that are secret are in no error, and those that are
// not may be.
func TestHeaders(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(403, `{"error_code": "PERMISSION_DENIED", "message": "`+r.Header.Get("X-Team")+` may not, with `+r.Header.Get("X-Key")+` and `+r.Header.Get("Authorization")+`"}`)(w, r)
	}, func(o *mlflow.Options) {
		o.Headers = func(context.Context) (plain, secret http.Header, err error) {
			return http.Header{"X-Team": {"red"}}, http.Header{"X-Key": {"k3y"}, "Authorization": {"Bearer t0ken"}}, nil
		}
	})
	for _, call := range calls {
		require.ErrorContains(t, call(soon(t), c), "red may not, with *** and ***")
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	var visits atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(elsewhere.Close)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
	for _, call := range calls {
		require.ErrorContains(t, call(soon(t), c), "it sends to another address, which is not followed")
	}
	require.Zero(t, visits.Load())
}

func TestAddresses(t *testing.T) {
	for address, says := range map[string]string{
		"":                    "must begin with http",
		"mlflow:5000":         "must begin with http",
		"http://":             "must begin with http",
		"http://me:s3cret@h":  "has a user in it",
		"http://h/?a=b":       "ends at its path",
		"http://h:bad%zz/%zz": "is not a URL",
	} {
		_, err := mlflow.New(mlflow.Options{URL: address})
		require.ErrorContains(t, err, says, address)
		require.NotContains(t, err.Error(), "s3cret")
	}
	var path atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { path.Store(r.URL.Path); answer(200, `{}`)(w, r) }))
	t.Cleanup(srv.Close)
	c, err := mlflow.New(mlflow.Options{URL: srv.URL + "/behind/a/proxy/"})
	require.NoError(t, err)
	require.NoError(t, calls["get"](soon(t), c))
	require.Equal(t, "/behind/a/proxy/api/2.0/mlflow/runs/get", path.Load())
}
