package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestPostedOnceInEachInbox(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	j := open(t, dir, Options{Clock: clock})
	first, second, other := event("tracker", "1"), event("tracker", "2"), event("checker", "1")
	for i, step := range []struct {
		postings []engine.Envelope
		fresh    int
	}{
		{postings([]string{"a/x"}, nil, first), 1},
		{postings([]string{"a/x"}, nil, second, second), 1},
		{postings([]string{"a/x"}, nil, first), 0},
		{postings([]string{"a/x", "a/y"}, nil, first, other), 3},
		{postings(nil, []engine.Destination{{URL: "http://peer"}}, first), 0},
		{nil, 0},
	} {
		fresh, err := j.Enqueue(t.Context(), step.postings)
		require.NoError(t, err)
		require.Equal(t, step.fresh, fresh, "step %d", i)
	}
	handle(t, j, "f-1", "a/x", first)
	handle(t, j, "f-2", "a/x", event("unseen", "1")) // never went through the inbox

	require.NoError(t, j.Close())
	j = open(t, dir, Options{Clock: clock})
	soundCounts(t, j)
	got, err := j.Inbox(t.Context(), "a/x", -1)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]engine.Event{second, other}, got))
	got, err = j.Inbox(t.Context(), "a/x", 1)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]engine.Event{second}, got))
	got, err = j.Inbox(t.Context(), "a/y", -1)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]engine.Event{first, other}, got), "each agent handles for itself")
	require.Zero(t, put(t, j, "a/x", first, event("unseen", "1")), "handled once is handled")

	// Posting an event again that was handled before has no effect.
	since := func() int64 {
		at, err := j.queryInt(t.Context(), `SELECT since FROM inbox WHERE agent = 'a/x' AND source = 'tracker' AND id = '1' AND state = 'handled'`)
		require.NoError(t, err)
		return at
	}
	before, at := rows(t, j), since()
	clock.Pass(time.Hour)
	handle(t, j, "f-3", "a/x", first)
	before["firings"]++
	require.Equal(t, before, rows(t, j))
	require.Equal(t, at, since())
	soundCounts(t, j)
}

func TestBadPostingIsRefusedWithAllItsMistakes(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	good := []string{"a/x"}
	_, err := j.Enqueue(t.Context(), []engine.Envelope{
		{Event: event("s", "good"), Agents: good},
		{Event: event("s", ""), Agents: good},
		{Event: event("", "1"), Agents: good},
		{Event: event("s", "nobody's"), Agents: []string{"a/x", ""}},
		{Event: event("s", "nowhere"), To: []engine.Destination{{Agent: "a/x"}}},
		{Event: engine.Event{Source: "s", ID: "not JSON", Data: math.Inf(1)}, Agents: good},
	})
	for _, text := range []string{"event 2 ( of s)", "event 3 (1 of )", "event 4 (nobody's of s): an inbox needs an agent", "event 5 (nowhere of s): a destination needs a URL", "event 6 (not JSON of s)"} {
		require.ErrorContains(t, err, text)
	}
	require.Zero(t, rows(t, j)["inbox"])
	require.NoError(t, j.Health())
}

func TestFullBoxTakesNothingOfACall(t *testing.T) {
	dir := t.TempDir()
	opts := Options{InboxMost: 3, OutboxMost: 2}
	j := open(t, dir, opts)
	ctx := t.Context()
	peer := []engine.Destination{{URL: "http://peer"}}
	require.Equal(t, 2, put(t, j, "a/x", event("s", "1"), event("s", "2")))
	full := func(p []engine.Envelope) {
		t.Helper()
		before := rows(t, j)
		fresh, err := j.Enqueue(ctx, p)
		require.ErrorIs(t, err, engine.ErrFull)
		require.NotErrorIs(t, err, ErrFull, "the disk is not")
		require.Zero(t, fresh)
		require.Equal(t, before, rows(t, j))
		require.NoError(t, j.Health())
		soundCounts(t, j)
	}
	full(postings([]string{"a/y", "a/x"}, peer, event("s", "3"), event("s", "4")))
	full(postings(nil, peer, event("s", "3"), event("s", "4"), event("s", "5")))
	require.Equal(t, 3, put(t, j, "a/y", event("s", "3"), event("s", "4"), event("s", "5")), "each inbox has its own room")

	fresh, err := j.Enqueue(ctx, postings([]string{"a/x"}, nil, event("s", "1"), event("s", "3"), event("s", "2")))
	require.NoError(t, err, "what is there already needs no room")
	require.Equal(t, 1, fresh)
	require.Zero(t, put(t, j, "a/x", event("s", "1"), event("s", "2"), event("s", "3")), "in a full one neither")
	_, err = j.Enqueue(ctx, postings(nil, peer, event("s", "1"), event("s", "2"), event("s", "1")))
	require.NoError(t, err)

	require.NoError(t, j.Close())
	j = open(t, dir, opts) // it counts anew
	full(postings([]string{"a/x"}, nil, event("s", "4")))
	full(postings(nil, peer, event("s", "3")))
	handle(t, j, "f-1", "a/x", event("s", "1"))
	require.NoError(t, j.DeadLetter(ctx, "a/x", event("s", "2"), "poison"))
	require.Equal(t, 2, put(t, j, "a/x", event("s", "4"), event("s", "5")), "what was handled and buried makes room")
	full(postings([]string{"a/x"}, nil, event("s", "6")))
	out, err := j.Outbox(ctx, 1)
	require.NoError(t, err)
	require.NoError(t, j.Ack(ctx, []engine.Ack{{ID: out[0].ID, State: engine.Delivered}}))
	_, err = j.Enqueue(ctx, postings(nil, peer, event("s", "3")))
	require.NoError(t, err)
	full(postings(nil, peer, event("s", "4")))
}

// Concurrent callers share a transaction, and each gets its own result: those that exceed the
// limits do not affect the others.
func TestPostsShareATransaction(t *testing.T) {
	const callers, most = 40, 25
	j := open(t, t.TempDir(), Options{InboxMost: most})
	trips := 0
	report := j.writer.report
	g := hold(t, j)
	j.writer.report = func(f *FaultError) { trips++; report(f) } // the loop stands at the gate
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			p := postings([]string{"a/x"}, nil, event("s", fmt.Sprint(i)))
			if i%4 == 0 { // does not fit, whenever its turn comes, and its first event would
				p = postings([]string{"a/x"}, nil, event("s", fmt.Sprint(i)))
				for n := range most {
					p = append(p, postings([]string{"a/x"}, nil, event("large", fmt.Sprint(i, "-", n)))...)
				}
			}
			_, errs[i] = j.Enqueue(context.Background(), p)
		})
	}
	eventually(t, func() bool { return j.writer.queued() == callers })
	close(g.opened)
	wg.Wait()
	refused := 0
	for i, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, engine.ErrFull)
			refused++
		} else {
			require.NotZero(t, i%4, "a large one was taken")
		}
	}
	require.Equal(t, callers-most, refused)
	require.EqualValues(t, most, rows(t, j)["inbox"])
	soundCounts(t, j)
	require.NoError(t, j.Close())
	require.Equal(t, 3, trips, "one for the gate, one for all that waited, one to look at the counts")
}

// A failed commit rolls back the counts.
func TestCountsOfAFailedCommit(t *testing.T) {
	j := open(t, t.TempDir(), Options{InboxMost: 4})
	require.Equal(t, 1, put(t, j, "a/x", event("s", "0")))
	release := squeeze(t, j)
	large := event("s", "large")
	large.Data = string(make([]byte, 1<<20))
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() {
			large := large
			large.ID = fmt.Sprint("large-", i)
			_, errs[i] = j.Enqueue(context.Background(), postings([]string{"a/x"}, nil, event("s", fmt.Sprint("small-", i)), large))
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.ErrorIs(t, err, ErrFull)
		require.False(t, errors.Is(err, engine.ErrFull), "it is the disk that is full")
	}
	soundCounts(t, j)
	release()
	require.Equal(t, 3, put(t, j, "a/x", event("s", "1"), event("s", "2"), event("s", "3")))
	_, err := j.Enqueue(t.Context(), postings([]string{"a/x"}, nil, event("s", "4")))
	require.ErrorIs(t, err, engine.ErrFull)
}
