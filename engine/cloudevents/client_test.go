package cloudevents_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cesdk "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/cloudevents"
)

const secret = "Bearer hunter2-token"

func event(id string) engine.Event {
	return engine.Event{
		ID: id, Source: "/agents/ns/checker", Type: "dev.scanflow.retrain.requested", Subject: " ns/digits ", Time: now.Add(time.Nanosecond),
		Data: map[string]any{"critical": 51.0, "why": "<a> & b"}, Hops: 2, Sender: "ns/checker",
	}
}

func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return srv.URL
}

func client(t *testing.T, o cloudevents.Options) *cloudevents.Client {
	t.Helper()
	c := cloudevents.New(o)
	t.Cleanup(c.Close)
	return c
}

func TestSendToTheSDKsServer(t *testing.T) {
	var got cesdk.Event
	protocol, err := cehttp.New()
	require.NoError(t, err)
	handler, err := cesdk.NewHTTPReceiveHandler(t.Context(), protocol, func(e cesdk.Event) { got = e })
	require.NoError(t, err)
	address := serve(t, handler.ServeHTTP)

	sent := event("1")
	receipts, err := client(t, cloudevents.Options{}).Send(t.Context(), address, "", []engine.Event{sent})
	require.NoError(t, err)
	require.Equal(t, []engine.Receipt{{ID: "1", Source: sent.Source, Verdict: engine.Accepted}}, receipts)
	require.NoError(t, got.Validate())
	require.Equal(t, "1", got.ID())
	require.Equal(t, sent.Source, got.Source())
	require.Equal(t, sent.Type, got.Type())
	require.Equal(t, sent.Subject, got.Subject())
	require.Equal(t, sent.Time, got.Time())
	require.Equal(t, map[string]any{"scanflowhops": int32(2), "scanflowsender": "ns/checker"}, got.Extensions())
	var data any
	require.NoError(t, got.DataAs(&data))
	require.Equal(t, sent.Data, data)
}

func TestSendABatchTheSDKReads(t *testing.T) {
	var got []cesdk.Event
	var problem error
	var headers http.Header
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		headers = r.Header
		got, problem = cehttp.NewEventsFromHTTPRequest(r)
		_, _ = w.Write([]byte(`{"receipts":[{"id":"1","verdict":"accepted"},{"id":"2","verdict":"unwanted","why":"nobody hunter2-token"}]}`))
	})
	receipts, err := client(t, cloudevents.Options{UserAgent: "scanflow/v1"}).Send(t.Context(), address, secret, []engine.Event{event("1"), event("2")})
	require.NoError(t, err)
	require.NoError(t, problem)
	require.Equal(t, []engine.Receipt{
		{ID: "1", Source: "/agents/ns/checker", Verdict: engine.Accepted},
		{ID: "2", Source: "/agents/ns/checker", Verdict: engine.UnwantedEvent, Why: "nobody ***"},
	}, receipts)
	require.Len(t, got, 2)
	require.Equal(t, "2", got[1].ID())
	require.Equal(t, secret, headers.Get("Authorization"))
	require.Equal(t, "scanflow/v1", headers.Get("User-Agent"))
}

func TestWhatIsSentIsReadAsTheSame(t *testing.T) {
	var got []engine.Event
	var problem error
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, problem = cloudevents.Read(r, cloudevents.Limits{Bytes: 1 << 20, Events: 10}, now)
		receipts := make([]engine.Receipt, len(got))
		for i, e := range got {
			receipts[i] = engine.Receipt{ID: e.ID, Source: e.Source, Verdict: engine.Accepted}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"receipts": receipts})
	})
	odd := engine.Event{ID: " a\u2028b ", Source: "/x y?q=\u00e9#z", Type: "t", Data: false, Time: now}
	for _, events := range [][]engine.Event{{event("1")}, {odd}, {event("1"), odd, {ID: "3", Source: "s", Type: "t", Time: now}}} {
		_, err := client(t, cloudevents.Options{}).Send(t.Context(), address, "", events)
		require.NoError(t, err)
		require.NoError(t, problem)
		require.Empty(t, cmp.Diff(events, decoded(got)))
	}
}

func TestAnswersAreTakenForWhatTheyAre(t *testing.T) {
	receipt := func(verdict string) string {
		return `{"receipts":[{"id":"1","source":"/agents/ns/checker","verdict":"` + verdict + `","why":"so"}]}`
	}
	const accepted, unwanted, refused, final, passing = "accepted", "unwanted", "refused", "final", "passing"
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
		text   string
	}{
		"200 of anybody":             {200, "thanks", accepted, ""},
		"204":                        {204, "", accepted, ""},
		"202 of ours":                {202, receipt("accepted"), accepted, ""},
		"202 of ours, yet unwanted":  {202, receipt("unwanted"), unwanted, ""},
		"404 of ours":                {404, receipt("unwanted"), unwanted, ""},
		"403 of ours":                {403, receipt("refused"), refused, ""},
		"404 of anybody":             {404, "not found", final, "answered 404 Not Found"},
		"404 with another's JSON":    {404, `{"error":"no such path"}`, final, "answered 404 Not Found: no such path"},
		"403 of anybody":             {403, "<html>", passing, "answered 403 Forbidden"},
		"401":                        {401, `{"error":"wants a token, not hunter2-token"}`, passing, "answered 401 Unauthorized: wants a token, not ***"},
		"400":                        {400, `{"error":"id: is missing\ntype: is missing"}`, final, "answered 400 Bad Request: id: is missing type: is missing"},
		"405":                        {405, "", final, "answered 405 Method Not Allowed"},
		"408":                        {408, "", passing, "answered 408"},
		"410":                        {410, "", final, "answered 410 Gone"},
		"413":                        {413, "", final, "answered 413"},
		"415":                        {415, "", final, "answered 415"},
		"422":                        {422, "", final, "answered 422"},
		"425":                        {425, "", passing, "answered 425"},
		"429":                        {429, "", passing, "answered 429"},
		"500":                        {500, strings.Repeat("x", 2<<20), passing, "answered 500"},
		"503 of ours":                {503, `{"error":"no room for more events"}`, passing, "answered 503 Service Unavailable: no room for more events"},
		"599":                        {599, "", passing, "answered 599"},
		"redirect":                   {307, "", final, "answered 307 Temporary Redirect: and redirects are not followed; give the address that it points to"},
		"receipts of too few":        {202, `{"receipts":[]}`, passing, "with 0 receipts for 1 events"},
		"receipts of others":         {202, `{"receipts":[{"id":"9","verdict":"accepted"}]}`, passing, "with receipts of other events"},
		"receipts of another season": {202, receipt("perhaps"), passing, "with a receipt that can't be understood"},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere?token=hunter2-token")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			})
			receipts, err := client(t, cloudevents.Options{}).Send(t.Context(), address+"/v1/events?token=hunter2", secret, []engine.Event{event("1")})
			var last *cloudevents.FinalError
			switch c.want {
			case final:
				require.ErrorAs(t, err, &last)
				require.Equal(t, c.status, last.Status)
				require.False(t, engine.IsRetryable(err))
			case passing:
				require.True(t, engine.IsRetryable(err), "%v", err)
				require.False(t, errors.As(err, &last))
			default:
				require.NoError(t, err)
				require.Equal(t, engine.ReceiptVerdict(c.want), receipts[0].Verdict)
				require.Equal(t, "1", receipts[0].ID)
				return
			}
			require.ErrorContains(t, err, "POST "+address+"/v1/events: ")
			require.ErrorContains(t, err, c.text)
			require.NotContains(t, err.Error(), "hunter2")
			require.NotContains(t, err.Error(), "\n")
			require.Less(t, len(err.Error()), 800)
		})
	}
}

// A server that knows nothing of batches answers 200 and has dropped them.
func TestABatchIsNotTakenAsAcceptedWithoutReceipts(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	_, err := client(t, cloudevents.Options{}).Send(t.Context(), address, "", []engine.Event{event("1"), event("2")})
	var last *cloudevents.FinalError
	require.ErrorAs(t, err, &last)
	require.ErrorContains(t, err, "is this a Scanflow?")

	address = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"receipts":[`))
	})
	_, err = client(t, cloudevents.Options{}).Send(t.Context(), address, "", []engine.Event{event("1"), event("2")})
	require.True(t, engine.IsRetryable(err), "%v", err)
	require.ErrorContains(t, err, "cut short")
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "": 0, "soon": 0, "-1": 0, "Sun, 01 Mar 2026 03:00:09 GMT": 9 * time.Second, "Sun, 01 Mar 2026 02:00:00 GMT": 0,
	} {
		address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.Header().Set("Date", now.Format(http.TimeFormat))
			w.WriteHeader(503)
		})
		_, err := client(t, cloudevents.Options{}).Send(t.Context(), address, "", []engine.Event{event("1")})
		require.True(t, engine.IsRetryable(err))
		var later engine.Later
		require.ErrorAs(t, err, &later)
		require.Equal(t, want, later.RetryAfter(), header)
	}
}

func TestSendFaults(t *testing.T) {
	released := make(chan struct{})
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-released:
		}
	})
	defer close(released)
	plain := serve(t, nil)
	_, port, _ := strings.Cut(strings.TrimPrefix(plain, "http://"), ":")
	dropped := serve(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	for name, c := range map[string]struct {
		to   string
		want string
	}{
		"timeout":        {hang + "/?token=hunter2", "no full answer in time"},
		"nobody there":   {"http://127.0.0.1:1/?token=hunter2", "connection refused"},
		"connection cut": {dropped + "/?token=hunter2", "EOF"},
		"not TLS":        {"https://127.0.0.1:" + port + "/?token=hunter2", "HTTP response to HTTPS client"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, cloudevents.Options{Timeout: 300 * time.Millisecond}).Send(t.Context(), c.to, secret, []engine.Event{event("1")})
			require.True(t, engine.IsRetryable(err), "%v", err)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client(t, cloudevents.Options{}).Send(ctx, hang, "", []engine.Event{event("1")})
	require.ErrorIs(t, err, context.Canceled)

	receipts, err := client(t, cloudevents.Options{}).Send(t.Context(), "http://127.0.0.1:1", "", nil)
	require.NoError(t, err, "nothing is sent for nothing")
	require.Empty(t, receipts)
}

func TestWhatNobodyWouldReadIsNotSent(t *testing.T) {
	address := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("was sent") })
	for want, change := range map[string]func(*engine.Event){
		`event "" can't be sent as a CloudEvent: id: is empty`: func(e *engine.Event) { e.ID = "" },
		"source: is not a URI reference":                       func(e *engine.Event) { e.Source = ":" },
		"type: is empty":                                       func(e *engine.Event) { e.Type = "" },
		"subject: holds a character":                           func(e *engine.Event) { e.Subject = "a\x00" },
		"unsupported type":                                     func(e *engine.Event) { e.Data = func() {} },
	} {
		e := event("1")
		change(&e)
		_, err := client(t, cloudevents.Options{}).Send(t.Context(), address, "", []engine.Event{e})
		var last *cloudevents.FinalError
		require.ErrorAs(t, err, &last)
		require.Zero(t, last.Status)
		require.ErrorContains(t, err, want)
	}
	_, err := client(t, cloudevents.Options{}).Send(t.Context(), "http://me:hunter2@ho st", "", []engine.Event{event("1")})
	var last *cloudevents.FinalError
	require.ErrorAs(t, err, &last)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestSendShowsItsCertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"receipts":[{"id":"1","verdict":"accepted","why":"%d"}]}`, len(r.TLS.PeerCertificates))
	}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	srv.StartTLS()
	defer srv.Close()
	authorities := x509.NewCertPool()
	authorities.AddCert(srv.Certificate())
	trusting := &tls.Config{RootCAs: authorities, Certificates: srv.TLS.Certificates}
	receipts, err := client(t, cloudevents.Options{Transport: &http.Transport{TLSClientConfig: trusting}}).Send(t.Context(), srv.URL, "", []engine.Event{event("1")})
	require.NoError(t, err)
	require.Equal(t, "1", receipts[0].Why)

	_, err = client(t, cloudevents.Options{}).Send(t.Context(), srv.URL, "", []engine.Event{event("1")})
	require.True(t, engine.IsRetryable(err), "a certificate may be put right")
}
