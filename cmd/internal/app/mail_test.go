package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// What waits in the outbox for a peer of before is kept, and the token of peers is shown
// to those of today only.
func TestThePeerTokenIsShownToPeersOnly(t *testing.T) {
	shown := map[string][]string{}
	endpoint := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			shown[name] = append(shown[name], r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusAccepted)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	today, before := endpoint("today"), endpoint("before")
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("between-us\n"), 0o600))
	c := newCourier(MailOptions{Peers: []string{today + "/"}, PeerTokenFile: token}, &credentials{}, http.DefaultTransport, http.DefaultTransport)
	defer c.close()
	events := []engine.Event{{ID: "1", Source: "/agents/ns/a", Type: "t"}}

	_, err := c.Deliver(t.Context(), engine.Destination{URL: today + eventsPath}, events)
	require.NoError(t, err)
	_, err = c.Deliver(t.Context(), engine.Destination{URL: before + eventsPath}, events)
	require.ErrorContains(t, err, "is no --peer")
	require.True(t, engine.IsRetryable(err), "it may be one again")
	_, err = c.Deliver(t.Context(), engine.Destination{URL: before + eventsPath, Agent: "ns/a"}, events)
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"today": {"Bearer between-us"}, "before": {""}}, shown)
}
