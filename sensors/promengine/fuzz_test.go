package promengine

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzAPI sends arbitrary requests. The API responds with JSON and a documented status, and
// soon after the client has disconnected.
func FuzzAPI(f *testing.F) {
	for _, query := range []string{
		"query=up", "query=up&time=1700000000", "query=up&time=NaN&timeout=1s", "query=up&time=-9223372036854775", "query=up&time=1e308", "query=up&lookback_delta=-1", "query=up&lookback_delta=9e9",
		"query=up&start=1700000000&end=1700000600&step=15", "query=up&start=1700000000&end=1700000001&step=0.0001", "query=up&start=1&end=1&step=0.0000001", "query=up&start=0&end=1&step=0.00099",
		"query=up&start=-9223372036854775&end=9223372036854775&step=9223372036", "query=up&start=1&end=2&step=NaN", "query=up&start=0001-01-01T00:00:00Z&end=9999-12-31T23:59:59Z&step=1y",
		"query=up[1000y]&time=1700000000", "query=max_over_time(up[1000y:1ms])&timeout=1s", "query=" + strings.Repeat("(", 3000) + "up" + strings.Repeat(")", 3000), "query=" + strings.Repeat("-", 5000) + "1",
		"query=count_values(\"\xff\",up)", "query=label_replace(up,\"a\",\"$1$1$1\",\"job\",\"(.*)\")", "query=up{job=~\"(a*)*b\"}", "query=\"\x00\x1b[2J\"", "query=vector(1e309)", "query=1/0", "query=up offset 99999y",
		"match[]=up", "match[]={__name__=~\".*\"}", "match[]={}", "match[]=up&limit=-1", "match[]=up&limit=99999999999999999999", "match[]=up&start=NaN&end=Inf", "match[]=up&match[]=up&limit=1", "%zz", "a=%ff&query=%00", ";", "query=up&query=down", "",
	} {
		for place := range uint8(5) {
			f.Add(place, "job", query)
		}
	}
	f.Add(uint8(4), "\xff", "match[]=up")
	f.Add(uint8(4), "..", "")
	e, err := Open(Options{Dir: f.TempDir()})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, e.Close()) })
	now := time.Unix(1_700_000_000, 0)
	require.NoError(f, e.Append(context.Background(), []Sample{
		{Labels: map[string]string{"__name__": "up", "job": "a"}, At: now, Value: 1}, {Labels: map[string]string{"__name__": "up", "job": "\u2028"}, At: now, Value: 0},
	}))
	api := e.Handler()
	f.Fuzz(func(t *testing.T, place uint8, label, params string) {
		path := []string{"/api/v1/query", "/api/v1/query_range", "/api/v1/series", "/api/v1/labels", "/api/v1/label/" + url.PathEscape(label) + "/values"}[place%5]
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for _, form := range []bool{false, true} {
			r := (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: params}, Header: http.Header{}, Body: http.NoBody}).WithContext(ctx)
			if form {
				r = httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(params))
				r.URL.Path = path
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			w := httptest.NewRecorder()
			began := time.Now()
			api.ServeHTTP(w, r)
			require.Less(t, time.Since(began), time.Minute, "it goes on for nobody")
			if w.Header().Get("Content-Type") != "application/json" { // the mux has no such place
				require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMovedPermanently, http.StatusTemporaryRedirect}, w.Code)
				continue
			}
			var said struct {
				Status, ErrorType, Error string
				Data                     json.RawMessage
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &said), w.Body.String())
			require.Equal(t, w.Code == http.StatusOK, said.Status == "success")
			require.Equal(t, w.Code == http.StatusOK, len(said.Data) > 0)
			require.Equal(t, w.Code != http.StatusOK, said.Error != "" && said.ErrorType != "")
			require.NotContains(t, said.Error, "goroutine", "it panicked within")
			require.NotContains(t, said.Error, "unexpected error", "it panicked within: %s", said.Error)
		}
	})
}
