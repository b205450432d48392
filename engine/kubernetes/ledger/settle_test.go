package ledger

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// TestWhatBecameOfDeliveriesIsGathered: the ends are written though no caller waits for them.
func TestWhatBecameOfDeliveriesIsGathered(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	ctx, o := t.Context(), Options{Client: client, Namespace: c.Namespace(t)}
	l := begin(t, o)
	const n = 300
	var all []engine.Envelope
	for i := range n {
		all = append(all, engine.Envelope{Event: asked(fmt.Sprint("e", i)), Agents: []string{agent}, To: to("https://a")})
	}
	posted(t, l, all...)
	before, start := requests(client), time.Now()
	for i, id := range deliveries(t, l) {
		require.NoError(t, l.Ack(ctx, []engine.Ack{{ID: id, State: engine.Delivered, At: day}}))
		require.NoError(t, l.DeadLetter(ctx, agent, asked(strings.TrimPrefix(i, "https://a ")), "test"))
	}
	unsaid := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.outcomes.len() > 0
	}
	require.True(t, unsaid())
	require.Eventually(t, func() bool { return !unsaid() && requests(client) > before }, 10*time.Second, 10*time.Millisecond)
	require.LessOrEqual(t, requests(client)-before, int64(time.Since(start)/l.o.Gather)+10)
	require.Eventually(t, func() bool { // the answer has come too
		now, err := l.store.get(ctx, l.head.spec.Segments[len(l.head.spec.Segments)-1])
		require.NoError(t, err)
		return len(now.spec.Records) > 1
	}, 10*time.Second, 10*time.Millisecond)
	crash(l)
	l = begin(t, o)
	require.Empty(t, deliveries(t, l))
	require.Len(t, leaf(t, l).boxes()["dead"], n)

	posted(t, l, engine.Envelope{Event: asked("last"), To: to("https://a")})
	require.NoError(t, l.Ack(ctx, []engine.Ack{{ID: deliveries(t, l)["https://a last"], State: engine.Delivered, At: day}}))
	closed(t, l)
	require.Empty(t, deliveries(t, begin(t, o)), "Close left it unwritten")
}

// TestALetterIsSentAgainBeforeItsDeathWasWritten: the log has both, in their order,
// also where more letters died than one record holds.
func TestALetterIsSentAgainBeforeItsDeathWasWritten(t *testing.T) {
	c := shared(t)
	client, f := connect(t, c)
	ctx, o := t.Context(), Options{Client: client, Namespace: c.Namespace(t)}
	l := begin(t, o)
	var all []engine.Envelope
	for i := range 2 * maxConclusions {
		all = append(all, engine.Envelope{Event: asked(fmt.Sprint("e", i)), To: to("https://a")})
	}
	posted(t, l, all...)

	arrived, release := make(chan struct{}), make(chan struct{})
	f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if isAppend(r) {
			arrived <- struct{}{}
			<-release
		}
		return next.RoundTrip(r)
	})
	errs := make(chan error)
	go func() {
		_, err := l.Enqueue(ctx, []engine.Envelope{{Event: asked("under way"), Agents: []string{agent}}})
		errs <- err
	}()
	<-arrived
	var deaths []engine.Ack
	waiting, err := l.Outbox(ctx, -1)
	require.NoError(t, err)
	for _, d := range waiting {
		deaths = append(deaths, engine.Ack{ID: d.ID, State: engine.Undeliverable, At: day})
	}
	require.NoError(t, l.Ack(ctx, deaths))
	last := deaths[len(deaths)-1].ID
	go func() {
		_, err := l.Redeliver(ctx, []string{last})
		errs <- err
	}()
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.queue) == 1
	}, 10*time.Second, time.Millisecond)
	f.set(nil)
	close(release)
	for range 2 {
		require.NoError(t, <-errs)
	}
	want := leaf(t, l)
	require.Len(t, want.Outbox, 1)
	require.Equal(t, last, want.Outbox[0].ID)
	crash(l)
	same(t, want, leaf(t, begin(t, o)))
}

// An act whose call failed, was sent again by a person and delivered then is done, for the
// history and the next leader too. One that was done stays so.
func TestACallThatWasSentAgainIsDone(t *testing.T) {
	c := shared(t)
	h := history(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t), History: h}
	l := begin(t, o)
	require.NoError(t, l.RecordFiring(ctx, firing("f1", "a")))
	posted(t, l, engine.Envelope{Event: engine.Event{Source: "s", ID: "a", Type: engine.CallType, Time: day, Call: &engine.Call{DeadLetter: true}}, To: to("https://a")})
	id := deliveries(t, l)["https://a a"]
	settle := func(state engine.DeliveryState, out engine.Outcome) {
		t.Helper()
		require.NoError(t, l.Ack(ctx, []engine.Ack{{ID: id, State: state, Outcome: &out, At: day}}))
	}
	again := func() {
		t.Helper()
		found, err := l.Redeliver(ctx, []string{id})
		require.NoError(t, err)
		require.Len(t, found, 1)
	}
	outcome := func(j interface {
		Remember(context.Context, string, time.Time) (engine.Recollection, error)
	}) engine.Outcome {
		t.Helper()
		r, err := j.Remember(ctx, agent, time.Time{})
		require.NoError(t, err)
		require.Len(t, r.Acts, 1)
		return r.Acts[0].Outcome
	}
	settle(engine.Undeliverable, engine.Outcome{Status: engine.Failed, Detail: "answered 400"})
	again()
	settle(engine.Undeliverable, engine.Outcome{Status: engine.Failed, Detail: "answered 410"})
	require.Equal(t, engine.Outcome{Status: engine.Failed, Detail: "answered 400"}, outcome(l))
	again()
	settle(engine.Delivered, engine.Outcome{Status: engine.Done, Detail: "200 OK", Applied: true})
	want := engine.Outcome{Status: engine.Done, Detail: "200 OK; sent again, after it had failed: answered 400", Applied: true}
	require.Equal(t, want, outcome(l))
	require.Equal(t, want, outcome(h))
	closed(t, l)
	require.Equal(t, want, outcome(begin(t, o)))
}
