package tracker

import (
	"io"
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

// A browser sends the origin of its page. MLflow's clients send none, and are admitted.
func TestAPageOfAnotherSiteWritesNothing(t *testing.T) {
	t.Parallel()
	tr, err := Open(t.Context(), Options{Dir: t.TempDir()})
	require.NoError(t, err)
	guarded := httptest.NewServer(Guard("", true, tr.Handler()))
	t.Cleanup(func() {
		guarded.Close()
		require.NoError(t, tr.Close())
	})
	for name, row := range map[string]struct {
		method, path string
		header       map[string]string
		want         int
	}{
		"a client":                          {http.MethodPost, "/experiments/create", nil, http.StatusOK},
		"its own page":                      {http.MethodPost, "/experiments/create", map[string]string{"Origin": guarded.URL}, http.StatusOK},
		"its own page, by the newer header": {http.MethodPost, "/experiments/create", map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusOK},
		"another site":                      {http.MethodPost, "/experiments/create", map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		"another port":                      {http.MethodPost, "/experiments/create", map[string]string{"Origin": "http://127.0.0.1:1"}, http.StatusForbidden},
		"a page without an origin":          {http.MethodPost, "/experiments/create", map[string]string{"Origin": "null"}, http.StatusForbidden},
		"by the newer header":               {http.MethodPost, "/experiments/create", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		"a sister site":                     {http.MethodPost, "/experiments/create", map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		"a PATCH":                           {http.MethodPatch, "/registered-models/update", map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		"a DELETE":                          {http.MethodDelete, "/registered-models/delete", map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		"a name that was made to be ours":   {http.MethodPost, "/experiments/create", map[string]string{"Host": "evil.example"}, http.StatusForbidden},
		"a link is followed, and unread":    {http.MethodGet, "/experiments/get?experiment_id=0", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			var body io.Reader
			if row.method != http.MethodGet {
				body = strings.NewReader(`{"name": "` + name + `"}`)
			}
			r, err := http.NewRequest(row.method, guarded.URL+api+row.path, body)
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			for k, v := range row.header {
				r.Header.Set(k, v)
			}
			r.Host = row.header["Host"]
			res, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, row.want, res.StatusCode)
		})
	}
}

// TestPagesCanNotPost: a page of another site can send a POST of this type only after a
// preflight request, which the tracker does not answer.
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
