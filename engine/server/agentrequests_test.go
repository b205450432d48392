package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/installation"
)

func TestNoAgentUsesTheAPIOfItsInstallationOrOfAPeer(t *testing.T) {
	t.Setenv("EAST", "east-token")
	here := installation.New()
	require.NoError(t, here.Open(t.TempDir(), ""))
	b := &inbox{}
	o, clock := serveAllRights(b), engine.NewManualClock(start)
	counted := map[string]int{}
	o.Installation, o.Token, o.Refused = here, tokenOf(t, "s3cret"), func(reason string) { counted[reason]++ }
	o.Senders = sendersOf(t, "senders: [{name: east, peer: true, bearerToken: {env: EAST}}]")
	o.Clock = clock
	at := "http://" + serveOn(t, "127.0.0.1:0", o).Addr()
	east, stranger := installation.DeriveID("east"), installation.DeriveID("stranger")
	ask := func(method, path, token string, headers ...string) (int, http.Header, string) {
		clock.Advance(refusalWindow) // so that none is held back
		r, err := http.NewRequestWithContext(t.Context(), method, at+path, strings.NewReader(event("1", "asked")))
		require.NoError(t, err)
		r.Header.Set("Content-Type", structured)
		r.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i < len(headers); i += 2 {
			r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
		}
		return answerOf(t, http.DefaultClient, r)
	}

	// Installations exchange their ids with peers only.
	status, _, _ := ask("POST", "/v1/events", "s3cret", installation.Header, east)
	require.Equal(t, 202, status, "another installation's agent may send, with a credential")
	for _, path := range []string{"/v1/peer/claims", "/v1/events"} {
		method := map[bool]string{true: "GET", false: "POST"}[path == "/v1/peer/claims"]
		_, header, _ := ask(method, path, "east-token", installation.PeerHeader, east)
		require.Equal(t, here.ID(), header.Get(installation.PeerHeader), path)
	}
	status, header, _ := ask("POST", "/v1/events", "wrong", installation.PeerHeader, stranger)
	require.Equal(t, 401, status)
	require.Empty(t, header.Get(installation.PeerHeader))

	b.from = nil
	clear(counted)
	for _, id := range []string{here.ID(), strings.ToUpper(here.ID()), east, stranger + "," + here.ID()} {
		for _, path := range []string{"/v1/seen", "/v1/events", "/v1/alerts", "/v1/approvals/1/approve", "/v1/peer/claims", "/v1/none", "/", "//healthz", "/metrics/"} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "ANY"} {
				status, header, answer := ask(method, path, "s3cret", installation.Header, id)
				require.Equal(t, 403, status, "%s %s: %s", method, path, answer)
				require.Equal(t, "agent", header.Get(installation.RefusedHeader))
			}
		}
	}
	require.Empty(t, b.from)
	require.Equal(t, map[string]int{"agent": 4 * 9 * 9}, counted)
	for _, path := range []string{"/healthz", "/metrics"} {
		status, _, _ := ask("GET", path, "", installation.Header, here.ID())
		require.Equal(t, 200, status, "health and metrics are open to all")
	}

	// No agent may answer, whichever installation it claims to be from.
	for _, id := range []string{stranger, "", "x"} {
		status, _, answer := ask("POST", "/v1/approvals/1/approve", "s3cret", installation.Header, id)
		require.Equal(t, 403, status)
		require.Contains(t, answer, "no agent answers for a person")
		status, _, _ = ask("GET", "/v1/seen", "s3cret", installation.Header, id)
		require.Equal(t, 200, status)
	}
	status, _, answer := ask("POST", "/v1/approvals/1/approve", "s3cret")
	require.Equal(t, 200, status, answer)
}
