package loop_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/alertmanager"
)

// alertEvents reads an Alertmanager payload with one alert a word: F20 fires since 20:00,
// R20-21 was resolved at 21:00. A word may have a receiver: "ops/F20".
func alertEvents(t *testing.T, words ...string) []engine.Event {
	t.Helper()
	at := func(hour string) string {
		if hour == "" {
			return "0001-01-01T00:00:00Z"
		}
		return "2026-03-01T" + hour + ":00:00Z"
	}
	var alerts []string
	receiver := "scanflow"
	for _, word := range words {
		if to, rest, is := strings.Cut(word, "/"); is {
			receiver, word = to, rest
		}
		status := map[byte]string{'F': "firing", 'R': "resolved"}[word[0]]
		from, to, _ := strings.Cut(word[1:], "-")
		alerts = append(alerts, fmt.Sprintf(`{"status": %q, "labels": {"alertname": "ModelDown"}, "startsAt": %q, "endsAt": %q, "fingerprint": "ff-0"}`, status, at(from), at(to)))
	}
	events, err := alertmanager.Read(fmt.Appendf(nil, `{"version": "4", "receiver": %q, "alerts": [%s]}`, receiver, strings.Join(alerts, ",")), 10)
	require.NoError(t, err)
	return events
}

// A change of an alert's state is an event and a repetition is not, across restarts. A word
// with a ! is a change.
var alertOrders = map[string]string{
	"fires again with the same start": "F10! R10-11! F10! R10-12! F10! R10-13!",
	"each sent twice, by two in HA":   "F10! F10 R10-11! R10-11 F10! F10 R10-12! R10-12 F10! F10",
	"repeated while it lasts":         "F10! F10 F10 F10 R10-11! F10! F10 F10 R10-12!",
	"a new start":                     "F10! R10-11! F12! R12-13! F14! F14",
	"a new start, then the old one":   "F10! F12! F10 R10-13! F10! F12 R12-14! F12!",
	"the end comes first":             "R10-11! F10! R10-11! F10!",
	"the last end a second time":      "F10! R10-11! F10! R10-11! R10-11 F10! R10-12!",
	"a late end of an earlier firing": "F10! R10-11! F10! R10-12! F10! R10-11 F10 R10-13!",
	"a late earlier firing":           "F10! R10-11! F12! F10 R10-11 F12 R12-13!",
	"everything late":                 "F10! R10-11! F10! R10-12! F10! R10-11 F10 R10-12! R10-12",
	"a late end of a lost firing":     "F10! F12! R10-11! F12 R12-13!",
	"ends when it begins":             "F10! R10-10! F10! R10-10! F10!",
	"two ends":                        "F10! R10-11! R10-12! R10-11 R10-12 F10!",
	"to two receivers":                "F10! ops/F10! F10 ops/F10 R10-11! F10! ops/F10 ops/R10-11! ops/F10!",
	"many times":                      "F10!" + strings.Repeat(" R10-11! F10!", 4),
}

func TestAnAlertIsHandledOncePerChange(t *testing.T) {
	handlesAlerts := func(name string, mode engine.Mode, types ...string) func(*engine.Spec) {
		return func(s *engine.Spec) {
			handlesEvents(s)
			s.Name, s.Mode = name, mode
			s.Triggers = []engine.Trigger{{Name: "told", Alert: &engine.EventFilter{Types: types}}}
		}
	}
	for name, order := range alertOrders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, strings.ReplaceAll(answering, `"event"`, `"alert"`))
			b.world.set("web", 1)
			specs := []engine.Spec{
				b.spec(handlesAlerts("both", engine.Enforce, engine.AlertFiring, engine.AlertResolved)),
				b.spec(handlesAlerts("begins", engine.Paused, engine.AlertFiring)),
				b.spec(handlesAlerts("ends", engine.Paused, engine.AlertResolved)),
			}
			b.run(specs...)
			var begins, ends int
			seen := map[string]bool{}
			for i, word := range strings.Fields(order) {
				word, changed := strings.CutSuffix(word, "!")
				events := alertEvents(t, word)
				receipts, err := b.manager.Router.Receive(t.Context(), engine.Sender{Name: engine.OperatorSender}, events)
				require.NoError(t, err)
				require.Equal(t, []engine.Receipt{{ID: events[0].ID, Source: events[0].Source, Verdict: engine.Accepted}}, receipts)
				if !changed {
					require.Empty(t, b.fired, word)
				} else {
					e := b.next().Trigger.Event
					require.Equal(t, events[0].Type, e.Type, word)
					require.False(t, seen[e.Source+e.ID], "%s under the id %s again", word, e.ID)
					seen[e.Source+e.ID] = true
					b.nextAct()
					if strings.Contains(word, "F") {
						begins++
					} else {
						ends++
					}
				}
				if i%3 != 2 {
					b.restart()
					b.run(specs...)
				}
			}
			for agent, want := range map[string]int{"ns/begins": begins, "ns/ends": ends} {
				waiting, err := b.journal.Inbox(t.Context(), agent, -1)
				require.NoError(t, err)
				require.Len(t, waiting, want, "%s has every change", agent)
			}
			require.Empty(t, b.fired)
		})
	}
}

// Several groups of an Alertmanager may contain the same alert, and a group is sent again
// when another of its alerts changes.
func TestAnAlertOfSeveralGroupsIsHandledOnce(t *testing.T) {
	b := newBench(t, answering)
	b.run(b.spec(handlesEvents, func(s *engine.Spec) {
		s.Mode = engine.Paused
		s.Triggers = []engine.Trigger{{Name: "told", Alert: &engine.EventFilter{Types: []string{engine.AlertFiring, engine.AlertResolved}}}}
	}))
	receive := func(group string, words ...string) int {
		t.Helper()
		events := alertEvents(t, words...)
		other := alertEvents(t, "F10")[0]
		other.ID, other.Alert.Name = "other-"+group, "other-"+group
		for i := range events {
			events[i].Data.(map[string]any)["group_key"] = group
		}
		_, err := b.manager.Router.Receive(t.Context(), engine.Sender{Name: engine.OperatorSender}, append(events, other))
		require.NoError(t, err)
		waiting, err := b.journal.Inbox(t.Context(), "ns/answerer", -1)
		require.NoError(t, err)
		return len(waiting)
	}
	require.Equal(t, 2, receive("a", "F10"))
	require.Equal(t, 3, receive("b", "F10"), "the other one of that group")
	require.Equal(t, 4, receive("a", "R10-11"))
	require.Equal(t, 4, receive("b", "R10-11"))
	require.Equal(t, 5, receive("b", "F10"))
	require.Equal(t, 5, receive("a", "F10"))
	require.Equal(t, 7, receive("a", "R10-12", "F10"), "both in one")
}
