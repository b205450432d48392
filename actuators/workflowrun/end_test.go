package workflowrun

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 51) + ".tail"
	require.Equal(t, strings.Repeat("a", 51)+"-0123456789", Name(long, "0123456789abcdef"), "no dot before the dash, and 63 at most")
	require.Equal(t, "train-0123456789", Name("train", "0123456789abcdef"))
	require.Equal(t, "workflow/train", Claim(map[string]any{"template": "train"}))
	require.Equal(t, "workflow/retrain", Claim(map[string]any{"template": "train", "name": "retrain"}))
}

func TestTheEndIsToldBeforeTheActEnds(t *testing.T) {
	now := time.Unix(1000, 0)
	end := End{
		Identity: "abc", Namespace: "ns", Run: "train-abc", ClaimName: "retrain", Template: "train", Agent: "ns/planner", Hops: 3,
		Target: engine.TargetID{Kind: "Deployment", Namespace: "ns", Name: "web"}, Phase: "Succeeded", Message: "as told",
		Outputs: map[string]string{"accuracy": "0.93", "log": strings.Repeat("x", MostOutputs), "version": "4"},
	}
	var told []engine.Event
	var refuse error
	publish := func(_ context.Context, e engine.Event) error {
		told = append(told, e)
		return refuse
	}
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "2/2"}, end.Publish(t.Context(), publish, "2/2", now))
	require.Empty(t, cmp.Diff([]engine.Event{{
		ID: "abc-succeeded", Source: "/workflows/ns/train-abc", Type: Succeeded, Subject: "ns/web", Time: now, Hops: 3, Sender: "ns/planner",
		Data: map[string]any{
			"workflow": "retrain", "template": "train", "run": "train-abc", "phase": "Succeeded", "message": "as told",
			"outputs": map[string]any{"accuracy": "0.93", "version": "4"}, "outputs_left_out": []any{"log"},
		},
	}}, told))

	refuse = engine.Retry(errors.New("the journal is full"))
	out := end.Publish(t.Context(), publish, "2/2", now)
	require.Equal(t, engine.Running, out.Status, "it is asked again, until the event is kept")
	require.Contains(t, out.Detail, "the journal is full")
	require.Equal(t, told[0], told[1], "and is the same event then")

	end.Phase, refuse = "Error", errors.New("no agent here has a trigger for it")
	out = end.Publish(t.Context(), publish, "1/2", now)
	require.Equal(t, engine.Failed, out.Status, "nobody need listen")
	require.Contains(t, out.Detail, "no agent here has a trigger")
	require.Equal(t, Failed, told[2].Type)
	require.Equal(t, engine.Done, (&End{Phase: "Succeeded"}).Publish(t.Context(), nil, "", now).Status)
}
