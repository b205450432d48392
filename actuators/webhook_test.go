package actuators

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/queue"
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

// request of an act, as the outbox has it.
func called(body any) engine.Event {
	c := engine.Change{Proposal: engine.Proposal{Identity: "abc123", Agent: "ns/a", Target: engine.Target{Namespace: "prod", Name: "api"}}}
	return queue.NewCall(c, body, time.Time{})
}

func TestWebhookHandsItsRequestToTheOutbox(t *testing.T) {
	var got engine.Event
	var to string
	full := engine.Retry(errors.New("no room"))
	var err error
	hook := newWebhook(Env{Now: time.Now, Call: func(_ context.Context, e engine.Event, _ engine.Change, url string) error {
		got, to = e, url
		return err
	}})
	c := engine.Change{Terms: &engine.Terms{Call: engine.Call{For: time.Hour, DeadLetter: true}}, Proposal: engine.Proposal{Identity: "abc123",
		Agent: "ns/a", Target: engine.Target{Namespace: "prod", Name: "api"}, With: map[string]any{"url": "http://x/y", "body": map[string]any{"a": 1.0}},
	}}
	out, applied := hook.Apply(t.Context(), c)
	require.NoError(t, applied)
	require.Equal(t, engine.Outcome{Status: engine.Running, Detail: "on its way"}, out)
	require.Equal(t, "http://x/y", to)
	require.Equal(t, []any{"abc123", "ns/a", "prod/api", map[string]any{"a": 1.0}, engine.Call{For: time.Hour, DeadLetter: true}}, []any{got.ID, got.Sender, got.Subject, got.Data, *got.Call})
	err = full
	_, applied = hook.Apply(t.Context(), c)
	require.True(t, isRetry(applied))
}

func TestACallPostsTheBodyAsItIsUnderItsIdentity(t *testing.T) {
	r := newReceiver(t, func(w http.ResponseWriter, _ int) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "queued\nas 7, for s3cret ")
	})
	c := NewWebhookClient(nil, func(_ context.Context, agent, url string) (string, error) {
		require.Equal(t, "ns/a", agent)
		require.Equal(t, r.URL+"/retrain", url)
		return "Bearer s3cret", nil
	})
	said, err := c.Call(t.Context(), called(map[string]any{"model": "digits", "runs": []any{1.0, 2.0}, "html": "<&>"}), r.URL+"/retrain")
	require.NoError(t, err)
	require.Equal(t, "202 Accepted: queued as 7, for ***", said)
	require.JSONEq(t, `{"model":"digits","runs":[1,2],"html":"<&>"}`, r.bodies[0])
	require.Equal(t, http.MethodPost, r.requests[0].Method)
	require.Equal(t, "abc123", r.requests[0].Header.Get("Idempotency-Key"))
	require.Equal(t, "application/json", r.requests[0].Header.Get("Content-Type"))
	require.Equal(t, "Bearer s3cret", r.requests[0].Header.Get("Authorization"))

	_, err = c.Call(t.Context(), called(nil), r.URL+"/retrain")
	require.NoError(t, err)
	require.Empty(t, r.bodies[1], "no body, nothing sent")
}

// Headers of the agent's own go with a call, and one that is secret is not in what the
// receiver is said to have answered.
func TestACallSendsHeaders(t *testing.T) {
	r := newReceiver(t, func(w http.ResponseWriter, _ int) { _, _ = w.Write([]byte("team-a came with s3cret-key")) })
	c := NewWebhookClient(nil, nil)
	c.Headers = func(_ context.Context, _, url string) (plain, secret http.Header, err error) {
		require.Equal(t, r.URL+"/x", url)
		return http.Header{"X-Scope-Orgid": {"team-a"}}, http.Header{"X-Key": {"s3cret-key"}}, nil
	}
	said, err := c.Call(t.Context(), called(nil), r.URL+"/x")
	require.NoError(t, err)
	require.Equal(t, "200 OK: team-a came with ***", said)
	require.Equal(t, "team-a", r.requests[0].Header.Get("X-Scope-OrgID"))
	require.Equal(t, "s3cret-key", r.requests[0].Header.Get("X-Key"))

	c.Headers = func(context.Context, string, string) (plain, secret http.Header, err error) {
		return nil, nil, errors.New("headers.X-Key: environment variable HOOK is not set")
	}
	_, err = c.Call(t.Context(), called(nil), r.URL+"/x")
	require.EqualError(t, err, "headers.X-Key: environment variable HOOK is not set")
	require.False(t, isRetry(err))
	require.Len(t, r.requests, 1)
}

func TestACallTellsWhatMayPassFromWhatIsFinal(t *testing.T) {
	for code, again := range map[int]bool{
		http.StatusServiceUnavailable: true, http.StatusTooManyRequests: true, http.StatusRequestTimeout: true, http.StatusInternalServerError: true,
		http.StatusBadRequest: false, http.StatusUnauthorized: false, http.StatusNotFound: false, http.StatusFound: false, http.StatusGone: false,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			r := newReceiver(t, func(w http.ResponseWriter, _ int) {
				w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(code)
				_, _ = io.WriteString(w, `{"ok":false,"error":"invalid_payload"}`+strings.Repeat("x", 300))
			})
			_, err := NewWebhookClient(nil, nil).Call(t.Context(), called(nil), r.URL+"/x?token=s3cret")
			require.ErrorContains(t, err, fmt.Sprint(code))
			require.NotContains(t, err.Error(), "s3cret")
			require.Equal(t, again, isRetry(err))
			require.Len(t, r.requests, 1, "a redirect is not followed")
			require.Contains(t, err.Error(), `: {"ok":false,"error":"invalid_payload"}xxx`)
			require.Less(t, len(err.Error()), 300)
			var later engine.Later
			if require.Equal(t, again, errors.As(err, &later)); again {
				require.Equal(t, 7*time.Second, later.RetryAfter())
			}
		})
	}
}

// The words behind a status are the receiver's own, and may repeat what it was sent.
func TestAStatusLineShowsNoSecret(t *testing.T) {
	r := rawReceiver(t, "HTTP/1.1 400 no s3cret-token "+strings.Repeat("x", 400)+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	c := NewWebhookClient(nil, func(context.Context, string, string) (string, error) { return "Bearer s3cret-token", nil })
	_, err := c.Call(t.Context(), called(nil), r)
	require.ErrorContains(t, err, "answered 400 no *** xxx")
	require.NotContains(t, err.Error(), "s3cret")
	require.Less(t, len(err.Error()), 300)
}

// A secret of the request that a receiver repeats anywhere in its response is not in the outcome.
func TestAnAnswerShowsNoSecret(t *testing.T) {
	const user, password = "ana", `p@ss w/rd"+&<Q>`
	pair := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	for name, raw := range map[string]string{
		"a password":                "HTTP/1.1 400 Bad Request\r\n\r\nno " + password,
		"user and password":         "HTTP/1.1 400 Bad Request\r\n\r\nno " + user + ":" + password,
		"upper case":                "HTTP/1.1 400 Bad Request\r\n\r\nno " + strings.ToUpper(password),
		"escaped":                   "HTTP/1.1 400 Bad Request\r\n\r\nno " + url.QueryEscape(password),
		"in the status":             "HTTP/1.1 400 no " + password + "\r\n\r\n",
		"in a 2xx":                  "HTTP/1.1 200 OK\r\n\r\nno " + password,
		"at the border":             "HTTP/1.1 400 Bad Request\r\n\r\nno" + strings.Repeat("x", 170) + password,
		"cut off by the receiver":   "HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nno p@ss w/r",
		"cut off at what is read":   "HTTP/1.1 400 Bad Request\r\n\r\nno" + strings.Repeat(" ", scannedBytes-7) + password,
		"in an answer without HTTP": "no " + pair + "\r\n\r\n",
		"as the code":               "HTTP/1.1 " + pair + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := rawReceiver(t, raw)
			said, err := NewWebhookClient(nil, func(context.Context, string, string) (string, error) { return "Basic " + pair, nil }).Call(t.Context(), called(nil), r)
			if err != nil {
				said = err.Error()
			}
			for _, secret := range []string{"p@ss", "rd\"", "P@SS", "p%40ss", pair[:9]} {
				require.NotContains(t, said, secret)
			}
			require.Contains(t, said, "***")
		})
	}
}

// rawReceiver answers each connection with the same bytes.
func rawReceiver(t *testing.T, raw string) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var work sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); work.Wait() })
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, raw)
			_ = conn.Close()
		}
	})
	return "http://" + l.Addr().String()
}

func TestFaultsOfACall(t *testing.T) {
	r := newReceiver(t, status(http.StatusOK))
	gone := r.URL
	r.Close()
	_, err := NewWebhookClient(nil, nil).Call(t.Context(), called(nil), gone+"/?token=s3cret")
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "s3cret")
	require.True(t, isRetry(err))

	release := make(chan struct{})
	slow := newReceiver(t, func(http.ResponseWriter, int) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = NewWebhookClient(nil, nil).Call(ctx, called(nil), slow.URL)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	_, err = NewWebhookClient(nil, func(context.Context, string, string) (string, error) {
		return "", errors.New("environment variable HOOK is not set")
	}).Call(t.Context(), called(nil), slow.URL)
	require.EqualError(t, err, "environment variable HOOK is not set")
	require.False(t, isRetry(err))
}

// isRetry asks as the engine does.
func isRetry(err error) bool { return engine.IsRetryable(err) }

// A receiver may repeat a secret in JSON, in an address, or without the scheme it came with.
func TestACallSaysNoSecretThatTheReceiverRepeats(t *testing.T) {
	const secret = `pass "word\1" <2>/3&4`
	inJSON, err := json.Marshal(secret)
	require.NoError(t, err)
	for name, said := range map[string]string{"json": string(inJSON), "quoted": strconv.Quote(secret), "query": url.QueryEscape(secret), "path": url.PathEscape(secret), "bare": secret} {
		r := newReceiver(t, func(w http.ResponseWriter, _ int) { _, _ = w.Write([]byte("no " + said + " here")) })
		for scheme, header := range map[string]string{
			"Bearer": "Bearer " + secret, "Basic": "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+secret)), "none": secret,
		} {
			c := NewWebhookClient(nil, nil)
			c.Headers = func(context.Context, string, string) (plain, secret http.Header, err error) {
				return nil, http.Header{"Authorization": {header}}, nil
			}
			got, err := c.Call(t.Context(), called(nil), r.URL+"/x")
			require.NoError(t, err)
			require.Contains(t, got, "***", name+scheme)
			require.NotContains(t, got, "word", name+scheme)
		}
	}
}
