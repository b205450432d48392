package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// TestWithoutRoomNothingIsTaken fills an inbox and the outbox.
func TestWithoutRoomNothingIsTaken(t *testing.T) {
	c := shared(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t), InboxMost: 3, OutboxMost: 2}
	l := begin(t, o)
	posting := func(id string, agents []string, urls ...string) engine.Envelope {
		return engine.Envelope{Event: asked(id), Agents: agents, To: to(urls...)}
	}
	errs := make(chan error)
	for i := range 20 {
		go func() {
			_, err := l.Enqueue(ctx, []engine.Envelope{posting(fmt.Sprint("e", i), []string{agent})})
			errs <- err
		}()
	}
	taken := 0
	for range 20 {
		if err := <-errs; err == nil {
			taken++
		} else {
			require.ErrorIs(t, err, engine.ErrFull)
			require.ErrorContains(t, err, "the inbox of "+agent+" holds 3 of 3")
		}
	}
	require.Equal(t, 3, taken)
	before := leaf(t, l)
	for name, p := range map[string][]engine.Envelope{
		"one of two inboxes is full":      {posting("n", []string{executor, agent})},
		"one of two events has no room":   {posting("n", []string{executor}), posting("m", []string{agent})},
		"more destinations than the rest": {posting("n", []string{executor}, "a", "b", "c")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.Enqueue(ctx, p)
			require.ErrorIs(t, err, engine.ErrFull)
			same(t, before, leaf(t, l))
		})
	}

	known := before.Letters[0].Event
	fresh, err := l.Enqueue(ctx, []engine.Envelope{{Event: known, Agents: []string{agent, executor}}})
	require.NoError(t, err, "what is known needs no room")
	require.Equal(t, 1, fresh)
	f := firing("f1")
	f.Envelopes = []engine.Envelope{posting("notice", []string{agent}, "a", "b", "c")}
	require.NoError(t, l.RecordFiring(ctx, f), "a firing is never refused")
	_, err = l.Enqueue(ctx, []engine.Envelope{posting("n", nil, "d")})
	require.ErrorContains(t, err, "the outbox holds 3 of 2")

	f = firing("f2")
	f.Trigger.Event = &known
	require.NoError(t, l.RecordFiring(ctx, f))
	require.NoError(t, l.DeadLetter(ctx, agent, asked("notice"), "room is needed"))
	fresh, err = l.Enqueue(ctx, []engine.Envelope{posting("n", []string{agent})})
	require.NoError(t, err)
	require.Equal(t, 1, fresh)
}

// TestMoreAtOnceThanAnInboxHoldsFitsIntoAnEmptyOne, for an Alertmanager can't take a
// group of alerts apart: it would try the same again for ever.
func TestMoreAtOnceThanAnInboxHoldsFitsIntoAnEmptyOne(t *testing.T) {
	c := shared(t)
	l := begin(t, Options{Client: c.Client(), Namespace: c.Namespace(t), InboxMost: 2})
	group := func(ids ...string) (out []engine.Envelope) {
		for _, id := range ids {
			out = append(out, engine.Envelope{Event: asked(id), Agents: []string{agent}})
		}
		return out
	}
	fresh, err := l.Enqueue(t.Context(), group("1", "2", "3"))
	require.NoError(t, err)
	require.Equal(t, 3, fresh)
	_, err = l.Enqueue(t.Context(), group("4"))
	require.ErrorIs(t, err, engine.ErrFull)
	fresh, err = l.Enqueue(t.Context(), group("3", "1"))
	require.NoError(t, err, "what is known needs no room")
	require.Zero(t, fresh)
}

// TestTheLastPlaceIsForOneEvent, however many callers post it concurrently.
func TestTheLastPlaceIsForOneEvent(t *testing.T) {
	c := shared(t)
	client, f := connect(t, c)
	ctx, o := t.Context(), Options{Client: client, Namespace: c.Namespace(t), InboxMost: 1}
	l := begin(t, o)
	posted(t, l, engine.Envelope{Event: asked("first"), Agents: []string{"ns/a"}})
	arrived, release := make(chan struct{}), make(chan struct{})
	f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if isAppend(r) {
			arrived <- struct{}{}
			<-release
		}
		return next.RoundTrip(r)
	})
	fresh, errs := make(chan int), make(chan error)
	post := func(id, agent string) {
		n, err := l.Enqueue(ctx, []engine.Envelope{{Event: asked(id), Agents: []string{agent}}})
		errs <- err
		fresh <- n
	}
	go post("under way", "ns/b")
	<-arrived
	for range 5 {
		go post("same", agent)
	}
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.queue) == 5
	}, 10*time.Second, time.Millisecond)
	f.set(nil)
	close(release)
	sum := 0
	for range 6 {
		require.NoError(t, <-errs)
		sum += <-fresh
	}
	require.Equal(t, 2, sum)
}

func TestAPostingSaysWhatItLacks(t *testing.T) {
	c := shared(t)
	l := begin(t, Options{Client: c.Client(), Namespace: c.Namespace(t)})
	_, err := l.Enqueue(t.Context(), []engine.Envelope{{Agents: []string{agent}}, {Event: asked("e1"), Agents: []string{""}, To: to("")}})
	for _, want := range []string{"a source and an id", "an agent's name", "a URL"} {
		require.ErrorContains(t, err, want)
	}
	fresh, err := l.Enqueue(t.Context(), []engine.Envelope{{Event: asked("e1")}})
	require.NoError(t, err, "an event that goes nowhere")
	require.Zero(t, fresh)
	require.Empty(t, leaf(t, l))
}

// noise does not compress.
func noise(bytes int) string {
	random := rand.New(rand.NewPCG(7, 7))
	var out strings.Builder
	for out.Len() < bytes {
		fmt.Fprintf(&out, "%016x", random.Uint64())
	}
	return out.String()
}

// TestALargeEventForManyIsWrittenOnce: in its record, and in a base.
func TestALargeEventForManyIsWrittenOnce(t *testing.T) {
	c := shared(t)
	o := Options{Client: c.Client(), Namespace: c.Namespace(t), CompactAfter: 1}
	l := begin(t, o)
	p := engine.Envelope{Event: asked("e1")}
	p.Event.Data = noise(300 << 10)
	for i := range 40 {
		p.Agents = append(p.Agents, fmt.Sprint("ns/a", i))
	}
	posted(t, l, p)
	require.Less(t, l.current.size(), 300<<10)
	closed(t, l)
	for range 2 {
		l = begin(t, o)
		require.Len(t, leaf(t, l).Letters, 40)
		require.NoError(t, l.roll(t.Context()))
		crash(l)
	}
	require.Equal(t, 1, l.head.spec.Bases)
	base, err := l.store.get(t.Context(), l.head.spec.Segments[0])
	require.NoError(t, err)
	require.Less(t, base.size(), 300<<10)
}

// TestPostsAtOnceShareWrites: the same event from many, to several places.
func TestPostsAtOnceShareWrites(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	o := Options{Client: client, Namespace: c.Namespace(t)}
	l := begin(t, o)
	before := requests(client)
	const n = 200
	fresh, errs := make(chan int, n), make(chan error, n)
	for i := range n {
		go func() {
			got, err := l.Enqueue(context.Background(), []engine.Envelope{{Event: asked(fmt.Sprint("e", i/4)), Agents: []string{agent, executor}, To: to("https://a")}})
			fresh <- got
			errs <- err
		}()
	}
	sum := 0
	for range n {
		require.NoError(t, <-errs)
		sum += <-fresh
	}
	require.Equal(t, n/4*2, sum, "each event came four times, for two inboxes")
	t.Logf("%d posts: %d requests", n, requests(client)-before)
	require.Less(t, requests(client)-before, int64(n/10))
	crash(l)
	boxes := leaf(t, begin(t, o)).boxes()
	require.Len(t, boxes["inbox"], n/2)
	require.Len(t, boxes["outbox"], n/4)
}
