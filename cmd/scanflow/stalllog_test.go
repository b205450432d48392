package main

import (
	"bytes"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestStallsAreLogged(t *testing.T) {
	var out bytes.Buffer
	var l engine.StallObserver = newDecisionLog(hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true}), true)
	act := engine.Act{Outcome: engine.Outcome{Status: engine.Running, Detail: "1 of 3 ready", Obstacle: "exceeded quota: q"}}
	act.Agent, act.Primitive, act.Identity = "a/b", "scale", "0123"
	act.Target = engine.Target{Namespace: "n", Name: "web"}
	l.Stalled(act)
	require.Equal(t, "[WARN]  act held up: agent=a/b target=n/web primitive=scale detail=\"1 of 3 ready\" identity=0123 obstacle=\"exceeded quota: q\"\n", out.String())
	out.Reset()
	act.Outcome.Obstacle = ""
	l.Stalled(act)
	require.Equal(t, "[INFO]  act no longer held up: agent=a/b target=n/web primitive=scale detail=\"1 of 3 ready\" identity=0123\n", out.String())
}
