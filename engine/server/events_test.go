package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cesdk "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/cloudevents"
)

func loopbackAddresses() []net.IP { return []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback} }

func answerOf(t *testing.T, client *http.Client, r *http.Request) (int, http.Header, string) {
	t.Helper()
	res, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, strings.TrimSpace(string(body))
}

func TestWhatBecomesOfAnEventIsTheAnswer(t *testing.T) {
	b := &inbox{verdict: map[string]engine.ReceiptVerdict{"unwanted": engine.UnwantedEvent, "refused": engine.RefusedEvent}}
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take}).Addr() + "/v1/events"
	const batch = "application/cloudevents-batch+json"
	for name, c := range map[string]struct {
		body, kind string
		status     int
		answer     string
	}{
		"accepted":      {event("1", "asked"), structured, 202, `{"receipts":[{"id":"1","source":"/s","verdict":"accepted"}]}`},
		"unwanted":      {event("1", "unwanted"), structured, 404, `{"receipts":[{"id":"1","source":"/s","verdict":"unwanted","why":"as told"}]}`},
		"refused":       {event("1", "refused"), structured, 403, `{"receipts":[{"id":"1","source":"/s","verdict":"refused","why":"as told"}]}`},
		"several":       {"[" + event("1", "unwanted") + "," + event("2", "asked") + "]", batch, 202, `{"receipts":[{"id":"1","source":"/s","verdict":"unwanted","why":"as told"},{"id":"2","source":"/s","verdict":"accepted"}]}`},
		"none":          {"[]", batch, 202, `{"receipts":[]}`},
		"mistakes":      {`{"specversion":"1.0","id":""}`, structured, 400, `{"error":"id: is empty; source: is missing; type: is missing","mistakes":["id: is empty","source: is missing","type: is missing"]}`},
		"no event":      {`{}`, "application/json", 400, "is no CloudEvent"},
		"binary data":   {"x", "application/cloudevents+avro", 415, `"application/cloudevents+avro\" are not read`},
		"too large":     {strings.Repeat(" ", maxBodyBytes+1), structured, 413, "the body has more than 4194304 bytes"},
		"too many":      {"[" + strings.Repeat("{},", maxBatchEvents) + "{}]", batch, 413, "the batch has more than 1000 events"},
		"an Avro batch": {"[]", "application/cloudevents-batch+avro", 415, "are not read"},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, answer := post(t, http.DefaultClient, address, c.body, "Content-Type", c.kind)
			require.Equal(t, c.status, status, answer)
			require.Equal(t, "application/json", header.Get("Content-Type"))
			if strings.HasPrefix(c.answer, "{") {
				require.Equal(t, c.answer, answer)
			} else {
				require.Contains(t, answer, c.answer)
			}
		})
	}
	require.Equal(t, start, b.events[0].Time, "an event without a time has that of its coming")
	status, _, _ := answer(t, http.MethodGet, address)
	require.Equal(t, 405, status)
}

func answer(t *testing.T, method, address string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	require.NoError(t, err)
	return answerOf(t, http.DefaultClient, r)
}

func TestNothingTakenIsAskedForAgain(t *testing.T) {
	b := &inbox{}
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take}).Addr() + "/v1/events"
	for name, c := range map[string]struct {
		err    error
		status int
		later  string
	}{
		"full":     {fmt.Errorf("keep event 1: %w", engine.ErrFull), 503, "1"},
		"too much": {fmt.Errorf("keep 100 events: %w", engine.ErrTooLarge), 413, ""},
		"may pass": {engine.Retry(errors.New("the journal can't be written")), 503, "1"},
		"other":    {errors.New("lost"), 500, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.err = c.err
			status, header, answer := post(t, http.DefaultClient, address, event("1", "asked"), "Content-Type", structured)
			require.Equal(t, c.status, status)
			require.Equal(t, c.later, header.Get("Retry-After"))
			require.Equal(t, fmt.Sprintf(`{"error":%q}`, c.err.Error()), answer)
		})
	}
}

// The SDK's client, and our own, send to the server.
func TestClientsOfEitherKindAreUnderstood(t *testing.T) {
	b := &inbox{verdict: map[string]engine.ReceiptVerdict{"unwanted": engine.UnwantedEvent, "refused": engine.RefusedEvent}}
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take}).Addr() + "/v1/events"

	sdk, err := cesdk.NewClientHTTP()
	require.NoError(t, err)
	to := cesdk.ContextWithTarget(context.Background(), address)
	made := cesdk.NewEvent()
	made.SetID("1")
	made.SetSource("/sdk")
	made.SetType("asked")
	made.SetTime(start.Add(time.Minute))
	require.NoError(t, made.SetData(cesdk.ApplicationJSON, map[string]any{"n": 1}))
	for _, ctx := range []context.Context{cesdk.WithEncodingBinary(to), cesdk.WithEncodingStructured(to)} {
		require.True(t, cesdk.IsACK(sdk.Send(ctx, made)))
	}
	want := engine.Event{ID: "1", Source: "/sdk", Type: "asked", Time: start.Add(time.Minute), Data: json.RawMessage(`{"n":1}`)}
	require.Empty(t, cmp.Diff([]engine.Event{want, want}, b.events))
	made.SetType("unwanted")
	require.True(t, cesdk.IsNACK(sdk.Send(to, made)))

	ours := cloudevents.New(cloudevents.Options{})
	defer ours.Close()
	verdicts := func(kinds ...string) []engine.ReceiptVerdict {
		var events []engine.Event
		for i, kind := range kinds {
			events = append(events, engine.Event{ID: fmt.Sprint(i), Source: "/agents/ns/a", Type: kind, Time: start})
		}
		receipts, err := ours.Send(t.Context(), address, "", events)
		require.NoError(t, err)
		var out []engine.ReceiptVerdict
		for _, r := range receipts {
			out = append(out, r.Verdict)
		}
		return out
	}
	require.Equal(t, []engine.ReceiptVerdict{engine.Accepted}, verdicts("asked"))
	require.Equal(t, []engine.ReceiptVerdict{engine.UnwantedEvent}, verdicts("unwanted"))
	require.Equal(t, []engine.ReceiptVerdict{engine.RefusedEvent}, verdicts("refused"))
	require.Equal(t, []engine.ReceiptVerdict{engine.UnwantedEvent, engine.Accepted, engine.RefusedEvent}, verdicts("unwanted", "asked", "refused"))

	b.mu.Lock()
	b.err = engine.Retry(engine.ErrFull)
	b.mu.Unlock()
	_, err = ours.Send(t.Context(), address, "", []engine.Event{want})
	require.True(t, engine.IsRetryable(err))
	var later engine.Later
	require.ErrorAs(t, err, &later)
	require.Equal(t, time.Second, later.RetryAfter())
}

func TestASlowBodyIsCutOff(t *testing.T) {
	b := &inbox{}
	s := serveOn(t, "127.0.0.1:0", Options{Receive: b.take, ReadTimeout: 200 * time.Millisecond})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n{", s.Addr(), structured)
	require.NoError(t, err)
	said, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(said), "408 Request Timeout")
	require.Contains(t, string(said), "the body did not come in time")
	require.Empty(t, b.events)
}

// endless is a body without an end that counts the bytes read.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read.Add(int64(len(p)))
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestAHugeBodyIsNotRead(t *testing.T) {
	b := &inbox{}
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take}).Addr()
	for _, path := range []string{"/v1/events", "/v1/alerts"} {
		body := &endless{}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+path, body)
		require.NoError(t, err)
		r.Header.Set("Content-Type", map[string]string{"/v1/events": structured, "/v1/alerts": "application/json"}[path])
		res, err := http.DefaultClient.Do(r)
		if err == nil { // the connection may be closed on a client that is still writing
			require.Equal(t, 413, res.StatusCode)
			require.NoError(t, res.Body.Close())
		}
		require.Less(t, body.read.Load(), int64(64<<20))
	}
	require.Empty(t, b.events)
}

func TestOneSenderMayNotTakeAllTurns(t *testing.T) {
	full, release := make(chan struct{}, maxRequestsPerSender), make(chan struct{})
	take := func(_ context.Context, from engine.Sender, events []engine.Event) ([]engine.Receipt, error) {
		if from.Name == engine.OperatorSender {
			full <- struct{}{}
			<-release
		}
		return []engine.Receipt{{ID: events[0].ID, Verdict: engine.Accepted}}, nil
	}
	t.Setenv("EDGE", "edge-token")
	senders := sendersOf(t, "senders: [{name: edge, bearerToken: {env: EDGE}}]")
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: take, Senders: senders}).Addr() + "/v1/events"
	done := make(chan int, maxRequestsPerSender)
	for range maxRequestsPerSender {
		go func() {
			resp, err := http.Post(address, structured, strings.NewReader(event("1", "asked")))
			if err != nil {
				done <- 0
				return
			}
			_ = resp.Body.Close()
			done <- resp.StatusCode
		}()
	}
	for range maxRequestsPerSender {
		<-full
	}
	status, header, answer := post(t, http.DefaultClient, address, event("1", "asked"), "Content-Type", structured)
	require.Equal(t, 503, status)
	require.Equal(t, "1", header.Get("Retry-After"))
	require.Equal(t, `{"error":"too many requests at once"}`, answer)
	status, _, _ = post(t, http.DefaultClient, address, event("1", "asked"), "Content-Type", structured, "Authorization", "Bearer edge-token")
	require.Equal(t, 202, status, "another sender is not held up")
	close(release)
	for range maxRequestsPerSender {
		require.Equal(t, 202, <-done)
	}
	status, _, _ = post(t, http.DefaultClient, address, event("1", "asked"), "Content-Type", structured)
	require.Equal(t, 202, status)
}

// A Service balances connections: a sender that tries again must not use the same one.
func TestWhoIsToldToComeLaterMayReachAnotherReplica(t *testing.T) {
	for name, row := range map[string]struct {
		err    error
		status int
		close  bool
	}{
		"taken":       {nil, http.StatusAccepted, false},
		"stands by":   {engine.Retry(errors.New("another one leads")), http.StatusServiceUnavailable, true},
		"has no room": {fmt.Errorf("inbox: %w", engine.ErrFull), http.StatusServiceUnavailable, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveOn(t, "127.0.0.1:0", Options{Receive: (&inbox{err: row.err}).take})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr()+"/v1/events", strings.NewReader(event("1", "asked")))
			require.NoError(t, err)
			req.Header.Set("Content-Type", structured)
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, row.status, res.StatusCode)
			require.Equal(t, row.close, res.Close)
		})
	}
}
