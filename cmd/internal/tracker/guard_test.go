package tracker

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	inside := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for name, c := range map[string]struct {
		token    string
		loopback bool
		host     string
		sends    string
		path     string
		want     int
		code     string
	}{
		"the token":                          {"s3cret", false, "tracker:5000", "Bearer s3cret", "/api", http.StatusTeapot, ""},
		"another token":                      {"s3cret", false, "tracker:5000", "Bearer other", "/api", http.StatusUnauthorized, "UNAUTHENTICATED"},
		"no token":                           {"s3cret", true, "127.0.0.1:5000", "", "/api", http.StatusUnauthorized, "UNAUTHENTICATED"},
		"a password":                         {"s3cret", true, "127.0.0.1:5000", "Basic czNjcmV0", "/api", http.StatusUnauthorized, "UNAUTHENTICATED"},
		"loopback":                           {"", true, "127.0.0.1:5000", "", "/api", http.StatusTeapot, ""},
		"localhost":                          {"", true, "localhost:5000", "", "/api", http.StatusTeapot, ""},
		"loopback of the newer kind":         {"", true, "[::1]:5000", "", "/api", http.StatusTeapot, ""},
		"a name that a page was given":       {"", true, "evil.example:5000", "", "/api", http.StatusForbidden, "PERMISSION_DENIED"},
		"beyond loopback":                    {"", false, "127.0.0.1:5000", "", "/api", http.StatusForbidden, "PERMISSION_DENIED"},
		"an empty token is none":             {"", false, "tracker:5000", "Bearer ", "/api", http.StatusForbidden, "PERMISSION_DENIED"},
		"health is open":                     {"s3cret", false, "tracker:5000", "", "/health", http.StatusTeapot, ""},
		"version is open":                    {"", false, "tracker:5000", "", "/version", http.StatusTeapot, ""},
		"what only begins like health isn't": {"s3cret", false, "tracker:5000", "", "/health/../api", http.StatusUnauthorized, "UNAUTHENTICATED"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://"+c.host+c.path, nil)
			if c.sends != "" {
				r.Header.Set("Authorization", c.sends)
			}
			w := httptest.NewRecorder()
			Guard(c.token, c.loopback, inside).ServeHTTP(w, r)
			require.Equal(t, c.want, w.Code)
			require.Contains(t, w.Body.String(), c.code)
			require.NotContains(t, w.Body.String(), "s3cret")
		})
	}
}

// TestPagesCanNotPost: a page of another site may send a POST, but none of this type
// without being asked before, and nobody answers that question here.
func TestPagesCanNotPost(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""} {
		r, err := http.NewRequest(http.MethodPost, c.base+api+"/experiments/create", strings.NewReader(`{"name": "x"}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", kind)
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusBadRequest, res.StatusCode, kind)
	}
	r, err := http.NewRequest(http.MethodOptions, c.base+api+"/experiments/create", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusNotFound, res.StatusCode)
	require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"))
}
