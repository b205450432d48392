package actuators

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// receiver is an API that notes what it gets and answers as it is told.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	answer   func(w http.ResponseWriter, n int)
}

func newReceiver(t *testing.T, answer func(w http.ResponseWriter, n int)) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.requests, r.bodies = append(r.requests, req), append(r.bodies, string(body))
		n := len(r.requests)
		r.mu.Unlock()
		r.answer(w, n)
	}))
	t.Cleanup(r.Close)
	return r
}

func status(code int) func(http.ResponseWriter, int) {
	return func(w http.ResponseWriter, _ int) { w.WriteHeader(code) }
}

func call(url string, body any) engine.Change {
	return engine.Change{Identity: "abc123", Proposal: engine.Proposal{Agent: "ns/a", With: map[string]any{"url": url, "body": body}}}
}

func TestWebhookPostsTheBodyAsItIsUnderItsIdentity(t *testing.T) {
	r := newReceiver(t, status(http.StatusAccepted))
	hook := newWebhook(Env{Credentials: func(_ context.Context, agent, url string) (string, error) {
		require.Equal(t, "ns/a", agent)
		require.Equal(t, r.URL+"/retrain", url)
		return "Bearer s3cret", nil
	}})
	out, err := hook.Apply(t.Context(), call(r.URL+"/retrain", map[string]any{"model": "digits", "runs": []any{1.0, 2.0}, "html": "<&>"}))
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "202 Accepted"}, out)
	require.JSONEq(t, `{"model":"digits","runs":[1,2],"html":"<&>"}`, r.bodies[0])
	require.Equal(t, http.MethodPost, r.requests[0].Method)
	require.Equal(t, "abc123", r.requests[0].Header.Get("Idempotency-Key"))
	require.Equal(t, "application/json", r.requests[0].Header.Get("Content-Type"))
	require.Equal(t, "Bearer s3cret", r.requests[0].Header.Get("Authorization"))

	_, err = hook.Apply(t.Context(), call(r.URL+"/retrain", nil))
	require.NoError(t, err)
	require.Empty(t, r.bodies[1], "no body, nothing sent")
}

func TestWebhookTellsWhatMayPassFromWhatIsFinal(t *testing.T) {
	for code, again := range map[int]bool{
		http.StatusServiceUnavailable: true, http.StatusTooManyRequests: true, http.StatusRequestTimeout: true, http.StatusInternalServerError: true,
		http.StatusBadRequest: false, http.StatusUnauthorized: false, http.StatusNotFound: false, http.StatusFound: false,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			r := newReceiver(t, func(w http.ResponseWriter, _ int) {
				w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
				w.WriteHeader(code)
			})
			_, err := newWebhook(Env{}).Apply(t.Context(), call(r.URL+"/x?token=s3cret", nil))
			require.ErrorContains(t, err, fmt.Sprint(code))
			require.NotContains(t, err.Error(), "s3cret")
			require.Equal(t, again, isRetry(err))
			require.Len(t, r.requests, 1, "a redirect is not followed")
		})
	}
}

func TestWebhookFaults(t *testing.T) {
	r := newReceiver(t, status(http.StatusOK))
	gone := r.URL
	r.Close()
	_, err := newWebhook(Env{}).Apply(t.Context(), call(gone+"/?token=s3cret", nil))
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "s3cret")
	require.True(t, isRetry(err))

	release := make(chan struct{})
	slow := newReceiver(t, func(http.ResponseWriter, int) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = newWebhook(Env{}).Apply(ctx, call(slow.URL, nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)

	_, err = newWebhook(Env{Credentials: func(context.Context, string, string) (string, error) {
		return "", errors.New("environment variable HOOK is not set")
	}}).Apply(t.Context(), call(slow.URL, nil))
	require.EqualError(t, err, "environment variable HOOK is not set")
	require.False(t, isRetry(err))
}

// isRetry asks as the engine does.
func isRetry(err error) bool { return engine.MayPass(err) }
