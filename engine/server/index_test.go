package server

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Who comes to the address sees what there is, with a credential and without.
func TestTheRootSaysWhatThereIs(t *testing.T) {
	none := func(*http.Request) (any, error) { return nil, nil }
	web := serveOn(t, "127.0.0.1:0", Options{
		Token: tokenOf(t, "s3cret"), API: map[string]func(*http.Request) (any, error){"/v1/claims": none, "/v1/agents": none},
		Answers: map[string]func(*http.Request, Caller) (any, error){"/v1/approvals/{id}/deny": func(*http.Request, Caller) (any, error) { return nil, nil }},
		Receive: func(context.Context, engine.Sender, []engine.Event) ([]engine.Receipt, error) { return nil, nil },
	})
	get := func(path, accept string) (int, string, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+web.Addr()+path, nil)
		require.NoError(t, err)
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(raw)
	}
	for _, accept := range []string{"", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json;q=0", "nonsense/;;"} {
		code, kind, body := get("/", accept)
		require.Equal(t, http.StatusOK, code)
		require.Equal(t, "text/plain; charset=utf-8", kind, accept)
		require.Equal(t, `scanflow: agents that supervise machine-learning workflows

GET   open    /healthz
GET   open    /readyz
GET   open    /metrics
GET   read    /v1/agents
GET   read    /v1/claims
POST  send    /v1/alerts
POST  send    /v1/events
POST  answer  /v1/approvals/{id}/deny

read, send and answer are the rights of a credential (Authorization: Bearer TOKEN).
`+"`scanflow status` and `scanflow decisions` show the same to a person.\n", body)
	}
	code, kind, body := get("/", "text/plain, application/json")
	require.Equal(t, []any{http.StatusOK, "application/json"}, []any{code, kind})
	require.Contains(t, body, `{"method":"GET","path":"/v1/claims","right":"read"}`)
	code, _, _ = get("/nothing", "")
	require.Equal(t, http.StatusNotFound, code)
}
