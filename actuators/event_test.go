package actuators

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestEventSendIsStampedAndNamedByItsIdentity(t *testing.T) {
	var got engine.Event
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	send := newEvent(Env{Now: func() time.Time { return at }, Publish: func(_ context.Context, e engine.Event) error { got = e; return nil }})
	c := engine.Change{Identity: "abc", Proposal: engine.Proposal{Agent: "ns/a", Target: engine.Target{Namespace: "ns", Name: "web"}, With: map[string]any{"type": "asked", "data": map[string]any{"n": 3.0}}}}
	_, err := send.Apply(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, engine.Event{ID: "abc", Source: "/agents/ns/a", Type: "asked", Subject: "ns/web", Time: at, Data: map[string]any{"n": 3.0}}, got)
}
