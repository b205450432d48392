package actuators

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestEventSendIsStampedAndNamedByItsIdentity(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		url  string
		diff string
	}{
		"to agents":     {"", "event asked"},
		"to an address": {"https://events.example.com/in?key=k", "event asked to https://events.example.com/in"},
	} {
		t.Run(name, func(t *testing.T) {
			var published, sent engine.Event
			var to engine.Destination
			send := newEvent(Env{
				Now:     func() time.Time { return at },
				Publish: func(_ context.Context, e engine.Event) error { published = e; return nil },
				Send:    func(_ context.Context, e engine.Event, d engine.Destination) error { sent, to = e, d; return nil },
			})
			with := map[string]any{"type": "asked", "data": map[string]any{"n": 3.0}}
			if row.url != "" {
				with["url"] = row.url
			}
			c, err := send.Plan(t.Context(), engine.Proposal{
				Agent: "ns/a", Target: engine.Target{Namespace: "ns", Name: "web"}, With: with, Identity: "abc", Primitive: "event.send", Hops: 2,
			})
			require.NoError(t, err)
			require.Equal(t, row.diff, c.Diff)
			_, err = send.Apply(t.Context(), c)
			require.NoError(t, err)
			want := engine.Event{
				ID: "abc", Source: "/agents/ns/a", Type: "asked", Subject: "ns/web", Time: at, Data: map[string]any{"n": 3.0}, Hops: 2, Sender: "ns/a",
			}
			if row.url == "" {
				require.Equal(t, want, published)
				require.Zero(t, sent)
				return
			}
			require.Equal(t, want, sent)
			require.Equal(t, engine.Destination{URL: row.url, Agent: "ns/a"}, to)
			require.Zero(t, published)
		})
	}
}
