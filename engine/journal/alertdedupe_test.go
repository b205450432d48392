package journal

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// alert is one that has fired since an hour of the day, and may be resolved at another.
func alert(name string, from, to int) engine.Event {
	at := func(hour int) time.Time { return day.Add(time.Duration(hour) * time.Hour) }
	e := event("/alertmanager/r", fmt.Sprintf("%s-%d", name, from))
	e.Alert = &engine.AlertStatus{Name: name, Starts: at(from)}
	if to > 0 {
		e.ID += fmt.Sprintf("-%d", to)
		e.Alert.Resolved, e.Alert.Ends = true, at(to)
	}
	return e
}

// said counts the alerts whose last event is stored.
func said(t *testing.T, j *Journal) int64 {
	t.Helper()
	n, err := j.queryInt(t.Context(), `SELECT count(*) FROM alerts`)
	require.NoError(t, err)
	return n
}

// The state of an alert is deleted when no event of it is stored any more. Without the state, an
// alert that fires again would be taken for a repeated event.
func TestWhatIsSaidOfAnAlertIsKeptAsLongAsItsEvents(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	opts := Options{Clock: clock, MaxAge: time.Hour}
	j := open(t, dir, opts)
	first := alert("ff", 1, 0)
	require.Equal(t, 1, put(t, j, "a/x", first))
	_, err := j.Enqueue(t.Context(), postings(nil, nil, alert("ff", 1, 2), alert("f", 1, 0)))
	require.NoError(t, err)
	require.Equal(t, int64(2), said(t, j))

	clock.Pass(24 * time.Hour)
	require.NoError(t, j.Prune(t.Context()))
	require.Equal(t, int64(1), said(t, j), "that of which an event waits")
	require.NoError(t, j.Close())
	j = open(t, dir, opts)
	require.Equal(t, 1, put(t, j, "a/x", first), "it fires again")
	require.Zero(t, put(t, j, "a/x", first))
	waiting, err := j.Inbox(t.Context(), "a/x", -1)
	require.NoError(t, err)
	require.Equal(t, first.ID, waiting[0].ID)
	require.True(t, strings.HasPrefix(waiting[1].ID, first.ID+"~"), waiting[1].ID)
	require.Nil(t, waiting[1].Alert)

	for i := range waiting {
		handle(t, j, fmt.Sprint("f-", i), "a/x", waiting[i])
	}
	clock.Pass(24 * time.Hour)
	require.NoError(t, j.Prune(t.Context()))
	require.Zero(t, said(t, j))
	require.Equal(t, 1, put(t, j, "a/x", first), "by now it is unheard of")
	soundCounts(t, j)
}

// A call stores all of its events and the states of their alerts, or none.
func TestAnAlertThatHasNoRoomIsNotSaid(t *testing.T) {
	j := open(t, t.TempDir(), Options{InboxMost: 2})
	require.Equal(t, 2, put(t, j, "a/x", alert("ff", 1, 0), alert("ff", 1, 2)))
	for range 2 {
		_, err := j.Enqueue(t.Context(), postings([]string{"a/x"}, nil, alert("ff", 1, 0)))
		require.ErrorIs(t, err, engine.ErrFull)
	}
	handle(t, j, "f-1", "a/x", alert("ff", 1, 0))
	require.Equal(t, 1, put(t, j, "a/x", alert("ff", 1, 0)), "tried again, it is no repeat")
}
