package server

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Only authorized senders get permission by the handshake, and no callback is called.
func TestWhoMaySendIsToldSo(t *testing.T) {
	var called atomic.Int32
	callback := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer callback.Close()
	token := write(t, filepath.Join(t.TempDir(), "grid"), "grid-token")
	reader := write(t, filepath.Join(t.TempDir(), "reader"), "reader-token")
	senders := sendersOf(t, "senders:\n- {name: grid, bearerToken: {file: "+token+"}}\n- {name: ana, rights: [read], bearerToken: {file: "+reader+"}}\n")
	b := &inbox{}
	guarded := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take, Senders: senders, Token: tokenOf(t, "s3cret")}).Addr()
	open := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take}).Addr()
	mine := []string{"Authorization", "Bearer grid-token"}
	origin, rate := []string{"WebHook-Request-Origin", "eventgrid.azure.net"}, []string{"WebHook-Request-Rate", "120"}
	back := []string{"WebHook-Request-Callback", callback.URL + "/confirm?token=x"}
	for name, c := range map[string]struct {
		address string
		headers [][]string
		status  int
		allowed string // the origin
		answer  string
	}{
		"a sender":                 {guarded, [][]string{mine, origin}, 200, "eventgrid.azure.net", ""},
		"with a rate, a callback":  {guarded, [][]string{mine, origin, rate, back}, 200, "eventgrid.azure.net", ""},
		"over loopback":            {open, [][]string{origin}, 200, "eventgrid.azure.net", ""},
		"nobody":                   {guarded, [][]string{origin, back}, 401, "", `{"error":"wants the bearer token`},
		"a wrong token":            {guarded, [][]string{{"Authorization", "Bearer grid-toke"}, origin}, 401, "", `{"error":"the token is not known`},
		"who may only read":        {guarded, [][]string{{"Authorization", "Bearer reader-token"}, origin}, 403, "", `{"error":"ana has no right to send`},
		"no origin, but a rate":    {guarded, [][]string{mine, rate}, 400, "", `{"error":"WebHook-Request-Origin: wants one DNS name`},
		"an origin that is none":   {guarded, [][]string{mine, {"WebHook-Request-Origin", "<script>"}}, 400, "", `{"error":"WebHook-Request-Origin: wants one DNS name`},
		"two origins":              {guarded, [][]string{mine, origin, origin}, 400, "", `{"error":"WebHook-Request-Origin: wants one DNS name`},
		"a rate of nothing":        {guarded, [][]string{mine, origin, {"WebHook-Request-Rate", "0"}}, 400, "", `{"error":"WebHook-Request-Rate: wants one whole number`},
		"a rate that is no number": {guarded, [][]string{mine, origin, {"WebHook-Request-Rate", "often"}}, 400, "", `{"error":"WebHook-Request-Rate: wants one whole number`},
		"another kind of question": {guarded, [][]string{mine}, 200, "", ""},
		"a browser, of a page":     {open, [][]string{{"Origin", "https://evil.example"}, {"Access-Control-Request-Method", "POST"}}, 200, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, c.address+"/v1/events", nil)
			require.NoError(t, err)
			for _, h := range c.headers {
				req.Header.Add(h[0], h[1])
			}
			status, header, answer := answerOf(t, http.DefaultClient, req)
			require.Equal(t, c.status, status, answer)
			require.Equal(t, c.allowed, header.Get("WebHook-Allowed-Origin"))
			require.Contains(t, answer, c.answer)
			if c.allowed != "" {
				require.Equal(t, "*", header.Get("WebHook-Allowed-Rate"))
			}
			if c.status == 200 {
				require.Equal(t, "POST, OPTIONS", header.Get("Allow"))
				require.Empty(t, answer)
			}
			require.Empty(t, header.Get("Access-Control-Allow-Origin"))
		})
	}
	status, _, _ := answer(t, http.MethodOptions, open+"/v1/alerts")
	require.Equal(t, http.StatusMethodNotAllowed, status, "an Alertmanager never asks")
	require.Empty(t, b.from, "nothing was sent")
	require.Zero(t, called.Load())
}
