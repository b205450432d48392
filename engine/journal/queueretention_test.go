package journal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestOldMailAndApprovalsGo(t *testing.T) {
	clock := newClock()
	dir := t.TempDir()
	opts := Options{Clock: clock, MaxAge: 24 * time.Hour}
	j := open(t, dir, opts)
	ctx := t.Context()
	put(t, j, "a/x", event("s", "waits"), event("s", "handled"), event("s", "dead"))
	for _, id := range []string{"waits", "delivered", "unwanted", "dead"} {
		send(t, j, event("out", id), peer)
	}
	send(t, j, event("out", "unwanted"), webhook) // so that nobody's no is the last word
	for _, a := range []engine.Approval{approval("waits"), approved(approval("approved"))} {
		require.NoError(t, j.SaveApproval(ctx, engine.ApprovalChange{Approval: a}))
	}
	clock.Pass(48 * time.Hour) // its age counts from its end, not from its arrival
	now := clock.Now()
	end := func(state engine.DeliveryState, id string) {
		got, err := j.Outbox(ctx, -1)
		require.NoError(t, err)
		for _, d := range got {
			if d.Event.ID == id && d.To == peer {
				require.NoError(t, j.Ack(ctx, []engine.Ack{{ID: d.ID, State: state, At: now}}))
			}
		}
	}
	end(engine.Delivered, "delivered")
	end(engine.UnwantedThere, "unwanted")
	end(engine.Undeliverable, "dead")
	handle(t, j, "f-1", "a/x", event("s", "handled"))
	require.NoError(t, j.DeadLetter(ctx, "a/x", event("s", "dead"), "poison"))
	for _, state := range []engine.ApprovalState{engine.ApprovalDenied, engine.ApprovalExpired, engine.ApprovalLapsed, engine.ApprovalUsed} {
		require.NoError(t, j.SaveApproval(ctx, engine.ApprovalChange{Approval: ended(approval(string(state)), state, now)}))
	}
	letters, err := j.Messages(ctx, "", -1)
	require.NoError(t, err)
	require.Len(t, letters, 5)

	clock.Pass(23 * time.Hour)
	before := rows(t, j)
	require.NoError(t, j.Prune(ctx))
	before["firings"] = 0 // its time is the story's first day
	require.Equal(t, before, rows(t, j), "nothing is old enough")
	require.Zero(t, put(t, j, "a/x", event("s", "handled"), event("s", "dead")))

	clock.Pass(2 * time.Hour)
	require.NoError(t, j.Prune(ctx))
	got := rows(t, j)
	require.EqualValues(t, []int64{1, 2, 2}, []int64{got["inbox"], got["outbox"], got["approvals"]})
	kept, err := j.Approvals(ctx, "", time.Time{})
	require.NoError(t, err)
	require.Equal(t, []string{"waits", "approved"}, []string{kept[0].ID, kept[1].ID})
	left, err := j.Messages(ctx, "", -1)
	require.NoError(t, err)
	require.Len(t, left, 3, "what waits stays, however long")
	soundCounts(t, j)
	require.Equal(t, 2, put(t, j, "a/x", event("s", "handled"), event("s", "dead")), "after MaxAge they are forgotten")
}

// An approval is kept as long as it is valid, regardless of its age.
func TestADenialStaysForAsLongAsItHolds(t *testing.T) {
	clock := newClock()
	j := open(t, t.TempDir(), Options{Clock: clock, MaxAge: 24 * time.Hour})
	east := time.FixedZone("east", 2*60*60)
	for id, stands := range map[string]time.Duration{"an hour": time.Hour, "ten days": 240 * time.Hour} {
		a := with(approval(id), func(a *engine.Approval) {
			a.Asked, a.Expires = a.Asked.Add(123456789), a.Asked.Add(123456789).In(east).Add(stands)
		})
		require.NoError(t, j.SaveApproval(t.Context(), engine.ApprovalChange{Approval: ended(a, engine.ApprovalDenied, day)}))
	}
	kept := func(after time.Duration) int64 {
		clock.Pass(day.Add(after).Sub(clock.Now()))
		require.NoError(t, j.Prune(t.Context()))
		return rows(t, j)["approvals"]
	}
	require.EqualValues(t, 2, kept(24*time.Hour))
	require.EqualValues(t, 1, kept(25*time.Hour))
	require.EqualValues(t, 1, kept(240*time.Hour))
	require.EqualValues(t, 0, kept(240*time.Hour+time.Second))
}

// Ids are never reused, so that one that was listed long ago can't name another event.
func TestLetterIDsAreNotUsedAgain(t *testing.T) {
	clock := newClock()
	dir := t.TempDir()
	opts := Options{Clock: clock, MaxAge: time.Hour}
	seen := map[string]bool{}
	for i := range 4 {
		j := open(t, dir, opts)
		put(t, j, "a/x", event("s", string(rune('a'+i))))
		send(t, j, event("s", string(rune('a'+i))), peer)
		letters, err := j.Messages(t.Context(), "", -1)
		require.NoError(t, err)
		require.Len(t, letters, 2)
		for _, l := range letters {
			require.False(t, seen[l.ID], l.ID)
			seen[l.ID] = true
		}
		handle(t, j, string(rune('a'+i)), "a/x", letters[0].Event)
		settle(t, j, engine.Delivered, letters[1].Event, peer)
		clock.Pass(1000 * time.Hour)
		require.NoError(t, j.Prune(t.Context()))
		require.Zero(t, rows(t, j)["inbox"]+rows(t, j)["outbox"])
		require.NoError(t, j.Close())
	}
}
