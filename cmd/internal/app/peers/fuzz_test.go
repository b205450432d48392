package peers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// FuzzClaims polls a peer that answers anything. The claims that are accepted belong to
// that peer and to the target that they name, and can be shown; an answer that is not
// accepted leaves the claims of before.
func FuzzClaims(f *testing.F) {
	for _, answer := range []string{
		`[]`, `null`, `{}`, ``, `[null]`, `[{}]`, `[{"kind":"Deployment","target":"ns/a","claim":"replicas","agent":"ns/b","until":"2999-01-01T00:00:00Z","peer":"http://other"}]`,
		`[{"target":"ns/a","claim":"c","change":"` + strings.Repeat("x", 100<<10) + `"}]`, `[{"target":"/"},{"target":"a"},{"target":"a/b/c"},{"target":""}]`, `[{"target":"ns/a","claim":"c","until":"0000-01-01T00:00:00Z"}]`, `[{"target":"ns/a","claim":"c","until":"9999-12-31T23:59:59+00:00","since":"x"}]`,
		"[{\"target\":\"ns/\xff\\u001b[2J\",\"claim\":\"\\u0000\"}]", `[{"target":"ns/a","claim":"c"}] [{"target":"ns/b"}]`, `[{"target":"ns/a","claim":"c"},`, strings.Repeat(`[`, 20_000), `[` + strings.Repeat(`{},`, 50_000) + `{}]`, `[{"target":"ns/a","claim":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}]`,
	} {
		f.Add(answer, 200)
	}
	f.Add(`[{"target":"ns/a","claim":"c"}]`, 302)
	var says atomic.Pointer[string]
	var status atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/v1/elsewhere")
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write([]byte(*says.Load()))
	}))
	f.Cleanup(srv.Close)
	before := `[{"kind":"Deployment","target":"ns/before","claim":"replicas","agent":"ns/b","state":"running","until":"2999-01-01T00:00:00Z"}]`
	on := engine.TargetID{Kind: "Deployment", Namespace: "ns", Name: "before"}
	f.Fuzz(func(t *testing.T, answer string, code int) {
		if code < 200 || code > 599 {
			return
		}
		n := NewClaims(Options{URLs: []string{srv.URL}}, NewTransport(nil), engine.WallClock{}, hclog.NewNullLogger())
		t.Cleanup(n.Close)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		says.Store(&before)
		status.Store(http.StatusOK)
		require.Zero(t, n.poll(ctx, srv.URL, 0))
		require.Len(t, n.ByTarget()[on], 1)
		says.Store(&answer)
		status.Store(int64(code))
		if misses := n.poll(ctx, srv.URL, 0); misses > 0 {
			require.Len(t, n.ByTarget()[on], 1, "the claims of before are forgotten")
			return
		}
		require.Equal(t, http.StatusOK, code)
		require.True(t, json.Valid([]byte(answer)), "no JSON, and accepted")
		for target, claims := range n.ByTarget() {
			require.True(t, target.Namespace != "" && target.Name != "", "a claim on nothing")
			for _, c := range claims {
				require.Equal(t, srv.URL, c.Peer)
				require.Equal(t, target, c.On())
				require.NotEmpty(t, c.Claim)
				require.Equal(t, engine.Clip(c.Change), c.Change)
			}
		}
		_, err := json.Marshal(n.List())
		require.NoError(t, err)
	})
}
