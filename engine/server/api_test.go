package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
)

func TestAnAPIFunctionIsReachedByItsPattern(t *testing.T) {
	api := map[string]func(*http.Request) (any, error){
		"/v1/plain": func(*http.Request) (any, error) { return "got", nil },
	}
	answers := map[string]func(*http.Request, Caller) (any, error){
		"/v1/approvals/{id}/approve": func(r *http.Request, who Caller) (any, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
			}
			return []string{r.PathValue("id"), string(body), who.By("")}, nil
		},
	}
	for path, err := range map[string]error{
		"missing": fmt.Errorf("approval x: %w", ErrNotFound), "late": fmt.Errorf("approval x is used: %w", ErrConflict),
		"busy": fmt.Errorf("the journal: %w", ErrUnavailable), "lost": errors.New("lost"),
	} {
		api["/v1/"+path] = func(*http.Request) (any, error) { return nil, err }
	}
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{API: api, Answers: answers}).Addr()
	guarded := "http://" + serveOn(t, "127.0.0.1:0", Options{API: api, Answers: answers, Token: tokenOf(t, "s3cret")}).Addr()
	const approve = "/v1/approvals/a1/approve"
	for name, c := range map[string]struct {
		method, address, body string
		token                 string
		header, value         string
		status                int
		answer                string
	}{
		"a path is for GET":        {"GET", address + "/v1/plain", "", "", "", "", 200, `"got"`},
		"and for nothing else":     {"POST", address + "/v1/plain", "", "", "", "", 405, "Method Not Allowed"},
		"an answer, and a wild":    {"POST", guarded + approve, "why", "s3cret", "", "", 200, `["a1","why","api"]`},
		"not by GET":               {"GET", guarded + approve, "", "s3cret", "", "", 405, "Method Not Allowed"},
		"too large a body":         {"POST", guarded + approve, strings.Repeat("x", maxAPIBody+1), "s3cret", "", "", 400, `{"error":"bad request: http: request body too large"}`},
		"not found":                {"GET", address + "/v1/missing", "", "", "", "", 404, `{"error":"approval x: not found"}`},
		"conflict":                 {"GET", address + "/v1/late", "", "", "", "", 409, `{"error":"approval x is used: conflict"}`},
		"unavailable":              {"GET", address + "/v1/busy", "", "", "", "", 503, `{"error":"the journal: unavailable"}`},
		"our own fault":            {"GET", address + "/v1/lost", "", "", "", "", 500, `{"error":"lost"}`},
		"without the token":        {"POST", guarded + approve, "", "", "", "", 401, `{"error":"wants the bearer token of --token-file"}`},
		"without any, on loopback": {"POST", address + approve, "", "", "", "", 401, `{"error":"wants a credential with the right to answer, and there is none: start scanflow with --token-file (on Kubernetes, of a Secret that is mounted), or with a sender in --senders that has ` + "`rights: [answer]`" + `"}`},
		"by a page of elsewhere":   {"POST", guarded + approve, "", "s3cret", "Origin", "https://evil.example", 403, `{"error":"comes from a page of another site"}`},
		"a page reads nothing":     {"POST", guarded + approve, "", "s3cret", "Sec-Fetch-Site", "cross-site", 403, `{"error":"comes from a page of another site"}`},
		"by a page of our own":     {"POST", guarded + approve, "", "s3cret", "Origin", guarded, 200, `["a1","","api"]`},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, c.address, strings.NewReader(c.body))
			require.NoError(t, err)
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			if c.header != "" {
				r.Header.Set(c.header, c.value)
			}
			status, header, answer := answerOf(t, http.DefaultClient, r)
			require.Equal(t, c.status, status, answer)
			require.Equal(t, c.answer, answer)
			require.Equal(t, c.status == 503, header.Get("Retry-After") != "")
		})
	}
}

// Responses and log messages about an invalid request are short, whatever was sent.
func TestARequestIsNotRepeatedAtLength(t *testing.T) {
	long := strings.Repeat("x", 50_000)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer func() { _ = log.Close() }()
	echo := func(r *http.Request) (any, error) {
		err := fmt.Errorf("%s: %q", r.PathValue("id"), r.URL.Query().Get("q"))
		if r.URL.Query().Has("mine") {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	web := serveOn(t, "127.0.0.1:0", Options{
		API: map[string]func(*http.Request) (any, error){"/v1/echo/{id}": echo}, Log: hclog.New(&hclog.LoggerOptions{Output: log}),
	})
	for path, code := range map[string]int{"/v1/echo/" + long: 404, "/v1/echo/a?q=" + long: 404, "/v1/echo/" + long + "?mine": 500, "/v1/nowhere/" + long: 404} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+web.Addr()+path, nil)
		require.NoError(t, err)
		status, _, answer := answerOf(t, http.DefaultClient, r)
		require.Equal(t, code, status)
		require.Less(t, len(answer), 3000, path[:20])
	}
	written, err := os.ReadFile(log.Name())
	require.NoError(t, err)
	require.Contains(t, string(written), "request failed")
	require.Less(t, len(written), 5000)
}

func TestWithoutAReceiverNoEventsAreTaken(t *testing.T) {
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{}).Addr()
	for _, path := range []string{"/v1/events", "/v1/alerts"} {
		status, _, _ := post(t, http.DefaultClient, address+path, event("1", "asked"), "Content-Type", structured)
		require.Equal(t, 404, status)
	}
}
