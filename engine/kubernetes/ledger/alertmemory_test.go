package ledger

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// alert is one that fires since an hour of the day, or that was resolved at another.
func alert(name string, from, to int) engine.Event {
	at := func(hour int) time.Time { return day.Add(time.Duration(hour) * time.Hour) }
	e := engine.Event{
		ID: fmt.Sprintf("%s-%d", name, from), Source: "/alertmanager/r", Type: engine.AlertFiring,
		Alert: &engine.AlertStatus{Name: name, Starts: at(from)},
	}
	if to > 0 {
		e.ID += fmt.Sprintf("-%d", to)
		e.Type, e.Alert.Resolved, e.Alert.Ends = engine.AlertResolved, true, at(to)
	}
	return e
}

// The log holds the memory of alerts with the events: a new leader reads both.
func TestAnAlertThatFiresAgainIsAnEventUnderEveryLeader(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	o := Options{Client: client, Namespace: c.Namespace(t), Name: "planner-0", SegmentBytes: 2000, History: history(t)}
	l := begin(t, o)
	handled := 0
	for i, step := range []struct {
		event engine.Event
		fresh int
	}{
		{alert("ff", 1, 0), 1}, {alert("ff", 1, 0), 0},
		{alert("ff", 1, 2), 1}, {alert("ff", 1, 2), 0},
		{alert("ff", 1, 0), 1}, {alert("ff", 1, 0), 0}, {alert("other", 1, 0), 1},
		{alert("ff", 1, 3), 1}, {alert("ff", 1, 2), 0},
		{alert("ff", 1, 0), 1}, {alert("ff", 1, 0), 0},
		{alert("ff", 5, 6), 1}, {alert("ff", 5, 0), 1},
	} {
		fresh, err := l.Enqueue(t.Context(), []engine.Envelope{{Event: step.event, Agents: []string{agent}}})
		require.NoError(t, err)
		require.Equal(t, step.fresh, fresh, "step %d", i)
		waiting, err := l.Inbox(t.Context(), agent, -1)
		require.NoError(t, err)
		if i%2 == 0 && len(waiting) > 0 {
			f := firing(fmt.Sprint("f-", i))
			f.Trigger.Event = &waiting[0]
			require.NoError(t, l.RecordFiring(t.Context(), f))
			handled++
		}
		crash(l)
		l = begin(t, o)
	}
	require.Equal(t, 7, handled)
	require.Len(t, l.state.alerts, 2)
}

// An alert's end that no agent takes is remembered all the same, and a repeat of it needs
// no write.
func TestAnAlertsEndThatNobodyTakesIsRemembered(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	l := begin(t, Options{Client: client, Namespace: c.Namespace(t)})
	post := func(agents []string, e engine.Event) int {
		t.Helper()
		fresh, err := l.Enqueue(t.Context(), []engine.Envelope{{Event: e, Agents: agents}})
		require.NoError(t, err)
		return fresh
	}
	require.Equal(t, 1, post([]string{agent}, alert("ff", 1, 0)))
	require.Zero(t, post(nil, alert("ff", 1, 2)))
	before := requests(client)
	require.Zero(t, post(nil, alert("ff", 1, 2)))
	require.Equal(t, before, requests(client))
	require.Equal(t, 1, post([]string{agent}, alert("ff", 1, 0)))
	require.Equal(t, 1, post([]string{executor}, alert("ff", 1, 0)), "who had it not hears it under the same id")
	mine, err := l.Inbox(t.Context(), agent, -1)
	require.NoError(t, err)
	its, err := l.Inbox(t.Context(), executor, -1)
	require.NoError(t, err)
	require.Equal(t, mine[1].ID, its[0].ID)
}

// Several Alertmanagers say the same at once, and the record that is written first decides.
func TestAlertsAtOnceAreHeardOnce(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	l := begin(t, Options{Client: client, Namespace: c.Namespace(t)})
	for i, e := range []engine.Event{alert("ff", 1, 0), alert("ff", 1, 2), alert("ff", 1, 0), alert("ff", 1, 3)} {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, err := l.Enqueue(t.Context(), []engine.Envelope{{Event: e, Agents: []string{agent}}})
				require.NoError(t, err)
			})
		}
		all.Wait()
		waiting, err := l.Inbox(t.Context(), agent, -1)
		require.NoError(t, err)
		require.Len(t, waiting, i+1)
	}
}

func TestWhatIsSaidOfAlertsIsBounded(t *testing.T) {
	s := newState()
	at := func(n int64, when time.Time) alertRecord {
		return alertRecordOf(alertKey{"s", fmt.Sprint(n)}, engine.AlertMemory{ID: fmt.Sprint(n), Starts: day}, stamp{nanos(when), n})
	}
	s.apply(&batch{Alerts: []alertRecord{at(1, day.Add(-alertMemoryFor-time.Second)), at(2, day)}})
	s.apply(&batch{Alerts: []alertRecord{{Source: "s", Name: "2", ID: "older", N: 1, At: nanos(day)}}})
	require.Equal(t, "2", s.alerts[alertKey{"s", "2"}].ID, "a record read again changes nothing")
	s.prune(day, time.Hour, time.Hour)
	require.Len(t, s.alerts, 1)
	for n := range int64(maxAlerts) {
		s.apply(&batch{Alerts: []alertRecord{at(n+3, day)}})
	}
	s.prune(day, time.Hour, time.Hour)
	require.Len(t, s.alerts, maxAlerts)
	require.NotContains(t, s.alerts, alertKey{"s", "2"}, "the oldest goes")
	records, err := packItems(s.items(), 1<<20)
	require.NoError(t, err)
	again := newState()
	for _, record := range records {
		b, err := unpack(record)
		require.NoError(t, err)
		again.apply(b)
	}
	require.Equal(t, s.alerts, again.alerts)
	require.Less(t, len(strings.Join(records, "")), 1<<20, "which is no more than an object holds")
}
