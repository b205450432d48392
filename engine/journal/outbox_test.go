package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

var (
	peer    = engine.Destination{URL: "http://peer/v1/events"}
	webhook = engine.Destination{URL: "http://elsewhere", Agent: "a/x"}
	other   = engine.Destination{URL: "http://elsewhere", Agent: "a/y"}
)

// send posts an event to destinations.
func send(t testing.TB, j *Journal, e engine.Event, to ...engine.Destination) {
	t.Helper()
	_, err := j.Enqueue(context.Background(), postings(nil, to, e))
	require.NoError(t, err)
}

// outboxOf lists the waiting deliveries as "URL AGENT SOURCE ID".
func outboxOf(t require.TestingT, j *Journal, limit int) []string {
	got, err := j.Outbox(context.Background(), limit)
	require.NoError(t, err)
	out := []string{}
	for _, d := range got {
		out = append(out, strings.Join([]string{d.To.URL, d.To.Agent, d.Event.Source, d.Event.ID}, " "))
	}
	return out
}

func settle(t testing.TB, j *Journal, state engine.DeliveryState, e engine.Event, to engine.Destination) {
	t.Helper()
	got, err := j.Outbox(context.Background(), -1)
	require.NoError(t, err)
	for _, d := range got {
		if d.Event.Source == e.Source && d.Event.ID == e.ID && d.To == to {
			require.NoError(t, j.Ack(context.Background(), []engine.Ack{{ID: d.ID, State: state, Why: "as told", At: day}}))
			return
		}
	}
	require.Fail(t, "no such delivery waits", "%s of %s to %v", e.ID, e.Source, to)
}

func TestOutboxByLane(t *testing.T) {
	clock := newClock()
	dir := t.TempDir()
	j := open(t, dir, Options{Clock: clock})
	require.Empty(t, outboxOf(t, j, 10))
	for i := range 3 {
		send(t, j, event("s1", fmt.Sprint(i)), peer, webhook)
		send(t, j, event("s2", fmt.Sprint(i)), other, peer)
	}
	send(t, j, event("s1", "1"), webhook, peer) // again
	require.Equal(t, []string{
		"http://peer/v1/events  s1 0", "http://elsewhere a/x s1 0", "http://elsewhere a/y s2 0", "http://peer/v1/events  s2 0",
	}, outboxOf(t, j, 1), "the oldest of each destination and source, the oldest first")
	require.Len(t, outboxOf(t, j, 2), 8)
	require.Len(t, outboxOf(t, j, -1), 12)
	settle(t, j, engine.Delivered, event("s1", "0"), peer)
	require.Equal(t, "http://peer/v1/events  s1 1", outboxOf(t, j, 1)[3])

	require.NoError(t, j.Close())
	j = open(t, dir, Options{Clock: clock})
	got, err := j.Outbox(t.Context(), 1)
	require.NoError(t, err)
	first := event("s1", "0")
	first.Data = json.RawMessage(`{"runs":[1]}`) // as it is sent on
	require.Empty(t, cmp.Diff(engine.Delivery{ID: got[0].ID, Event: first, To: webhook, Queued: day}, got[0]))
	require.Regexp(t, `^out-\d+$`, got[0].ID)
	soundCounts(t, j)
}

// planOf returns SQLite's query plan.
func planOf(t *testing.T, of, query string, args ...any) (plan []string) {
	t.Helper()
	j := open(t, t.TempDir(), Options{})
	require.NoError(t, j.each(t.Context(), func(rows *sql.Rows) error {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		if strings.Contains(detail, of) {
			plan = append(plan, detail)
		}
		return err
	}, `EXPLAIN QUERY PLAN `+query, args...))
	return plan
}

// The cost of a read does not depend on the number of waiting deliveries: each step seeks its
// row by the full key of an index.
func TestOutboxSeeks(t *testing.T) {
	plan := planOf(t, "outbox", waitingByLane, 1)
	by := "USING COVERING INDEX outbox_waiting"
	require.Equal(t, []string{
		"SCAN outbox " + by, // for its first row
		"SEARCH outbox " + by + " (url=? AND agent=? AND source>?)",
		"SEARCH outbox " + by + " (url=? AND agent>?)",
		"SEARCH outbox " + by + " (url>?)",
		"SEARCH outbox " + by + " (url=? AND agent=? AND source=?)",
	}, plan)
}

func TestSettled(t *testing.T) {
	e := event("s", "1")
	type to = engine.Destination
	for name, test := range map[string]struct {
		agents  []string
		to      []to
		states  []engine.DeliveryState // of each, in order
		waiting int
		dead    []string // their URLs
	}{
		"delivered":                            {to: []to{peer}, states: []engine.DeliveryState{engine.Delivered}},
		"undeliverable":                        {to: []to{peer}, states: []engine.DeliveryState{engine.Undeliverable}, dead: []string{peer.URL}},
		"unwanted by the only one":             {to: []to{peer}, states: []engine.DeliveryState{engine.UnwantedThere}, dead: []string{peer.URL}},
		"unwanted by one, others to ask":       {to: []to{peer, webhook}, states: []engine.DeliveryState{engine.UnwantedThere}, waiting: 1},
		"unwanted by all":                      {to: []to{peer, webhook, other}, states: []engine.DeliveryState{engine.UnwantedThere, engine.UnwantedThere, engine.UnwantedThere}, dead: []string{other.URL}},
		"unwanted by one, wanted by the first": {to: []to{peer, webhook}, states: []engine.DeliveryState{engine.Delivered, engine.UnwantedThere}},
		"unwanted by one, wanted by the last":  {to: []to{peer, webhook}, states: []engine.DeliveryState{engine.UnwantedThere, engine.Delivered}},
		"unwanted there, taken here":           {agents: []string{"a/x"}, to: []to{peer}, states: []engine.DeliveryState{engine.UnwantedThere}},
		"unwanted by one, one is dead":         {to: []to{peer, webhook}, states: []engine.DeliveryState{engine.Undeliverable, engine.UnwantedThere}, dead: []string{peer.URL, webhook.URL}},
	} {
		t.Run(name, func(t *testing.T) {
			j := open(t, t.TempDir(), Options{Clock: newClock()})
			send(t, j, event("s", "0"), peer, webhook, other) // another event has no part in it
			settle(t, j, engine.Delivered, event("s", "0"), peer)
			before := len(outboxOf(t, j, -1))
			_, err := j.Enqueue(t.Context(), postings(test.agents, test.to, e))
			require.NoError(t, err)
			for i, state := range test.states {
				settle(t, j, state, e, test.to[i])
			}
			require.Len(t, outboxOf(t, j, -1), before+test.waiting)
			letters, err := j.Messages(t.Context(), "", -1)
			require.NoError(t, err)
			var dead []string
			for _, l := range letters {
				if l.Box == engine.BoxDead {
					dead = append(dead, l.To)
					require.Equal(t, "as told", l.Why)
					require.Equal(t, e, l.Event)
				}
			}
			require.Equal(t, test.dead, dead)
			bodies, err := j.queryInt(t.Context(), `SELECT count(*) FROM outbox WHERE state IN ('delivered', 'unwanted') AND body IS NOT NULL`)
			require.NoError(t, err)
			require.Zero(t, bodies, "what is done with keeps its name alone")

			n := len(outboxOf(t, j, -1))
			send(t, j, e, test.to...)
			require.Len(t, outboxOf(t, j, -1), n, "it is known, whatever became of it")
			soundCounts(t, j)
		})
	}
}

func TestSettlingTwice(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	send(t, j, event("s", "1"), peer)
	send(t, j, event("s", "2"), peer)
	got, err := j.Outbox(t.Context(), -1)
	require.NoError(t, err)
	first, second := got[0].ID, got[1].ID
	require.NoError(t, j.Ack(t.Context(), []engine.Ack{
		{ID: first, State: engine.Delivered}, {ID: first, State: engine.Undeliverable}, {ID: "out-4711", State: engine.Delivered},
	}), "the first word counts, and of one that is gone there is nothing to say")
	require.NoError(t, j.Ack(t.Context(), []engine.Ack{{ID: first, State: engine.UnwantedThere}}))
	require.NoError(t, j.Ack(t.Context(), nil))
	letters, err := j.Messages(t.Context(), "", -1)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, second, letters[0].ID)
	soundCounts(t, j)

	err = j.Ack(t.Context(), []engine.Ack{
		{ID: second, State: engine.Delivered}, {ID: "in-1", State: engine.Delivered}, {ID: second, State: "lost"}, {ID: "out-x", State: engine.Delivered},
	})
	for _, text := range []string{`"in-1"`, `"lost" is no end`, `"out-x"`} {
		require.ErrorContains(t, err, text)
	}
	require.Len(t, outboxOf(t, j, -1), 1, "nothing of a call with a mistake")
	require.NoError(t, j.Health())
}

func TestResentDeliveryIsQueuedAnew(t *testing.T) {
	clock := newClock()
	j := open(t, t.TempDir(), Options{Clock: clock})
	send(t, j, event("s", "1"), peer)
	settle(t, j, engine.Undeliverable, event("s", "1"), peer)
	send(t, j, event("s", "2"), peer)
	letters, err := j.Messages(t.Context(), "", -1)
	require.NoError(t, err)
	clock.Pass(time.Hour)
	found, err := j.Redeliver(t.Context(), []string{letters[0].ID})
	require.NoError(t, err)
	require.Equal(t, []string{letters[0].ID}, found)
	got, err := j.Outbox(t.Context(), -1)
	require.NoError(t, err)
	require.Equal(t, []string{"2", "1"}, []string{got[0].Event.ID, got[1].Event.ID}, "behind those that waited")
	require.Equal(t, day.Add(time.Hour), got[1].Queued, "its time to be given up begins anew")
	require.Equal(t, letters[0].ID, got[1].ID)
	settle(t, j, engine.Delivered, event("s", "1"), peer)
	soundCounts(t, j)
}
