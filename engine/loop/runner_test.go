package loop_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestNoTurnStartsAfterAStop(t *testing.T) {
	b := newBench(t)
	b.world.set("digits", 1)
	b.load.setValue("digits", 10)
	b.run(b.spec())
	b.next()
	b.manager.BeginClose()
	b.clock.Advance(time.Minute)
	b.close()
	require.Empty(t, b.fired, "a firing after the stop")
	b.open()
}

func TestDocumentsAreThoseOfTheLastTurn(t *testing.T) {
	b := newBench(t)
	b.world.set("digits", 1)
	b.load.setValue("digits", 10)
	b.run(b.spec())
	b.next()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	docs := b.manager.Documents(ctx)
	require.Len(t, docs["ns/planner"], 1)
	doc, err := engine.ReadDocument(docs["ns/planner"][0])
	require.NoError(t, err)
	require.Equal(t, "digits", doc.Target.Name)
	require.Equal(t, 10.0, doc.Signals[0].Value)
}

func TestStrategiesAreRehearsedBeforeTheirFirstTurn(t *testing.T) {
	b := newBench(t)
	b.world.set("digits", 1)
	b.load.setValue("digits", 30) // three replicas
	var tried int
	refuse := true
	b.manager.Config.Rehearse = func(_ context.Context, rev engine.Revision, strategies []string, docs []json.RawMessage) error {
		require.Equal(t, b.policies.Pin().ID(), rev.ID())
		require.Equal(t, []string{"t.scaling"}, strategies)
		require.Len(t, docs, 1)
		tried++
		if refuse {
			return errors.New("no child could be started")
		}
		return nil
	}
	b.run(b.spec())
	f := b.next()
	require.Empty(t, f.Decisions, "the rehearsal failed")
	require.Contains(t, f.Problems[0], "no child could be started")
	refuse = false
	require.Len(t, b.tick().Decisions, 1)
	b.tick()
	require.Equal(t, 2, tried, "a rehearsal that succeeded is not repeated")
}
