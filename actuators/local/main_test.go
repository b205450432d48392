package local

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestMain(m *testing.M) {
	testlocal.Main(m, func(o *orchestrator.Orchestrator) error {
		run := WorkflowRun(o, nil)
		change, err := run.Plan(context.Background(), onRetrain(withData()))
		if err == nil {
			_, err = run.Apply(context.Background(), change)
		}
		return err
	})
}

func proposal(verb, name string, with map[string]any) engine.Proposal {
	return engine.Proposal{
		Primitive: verb, With: with, Identity: "change-1",
		Target: engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "test", Name: name, Replicas: &engine.Replicas{Desired: 1}},
	}
}

// act plans and applies a proposal, and verifies until the act has ended.
func act(t *testing.T, o *orchestrator.Orchestrator, p engine.Proposal) (engine.Change, engine.Outcome) {
	t.Helper()
	return actBy(t, actuatorOf(o, p.Primitive), p)
}

func actBy(t *testing.T, a engine.Actuator, p engine.Proposal) (engine.Change, engine.Outcome) {
	t.Helper()
	c, err := a.Plan(t.Context(), p)
	require.NoError(t, err)
	if c.NoOp {
		return c, engine.Outcome{Status: engine.NoOp}
	}
	out, err := a.Apply(t.Context(), c)
	require.NoError(t, err)
	testlocal.Eventually(t, "the act ends", func() bool {
		if out.Status == engine.Running {
			out, err = a.(engine.Verifier).Verify(t.Context(), c)
			require.NoError(t, err)
		}
		return out.Status != engine.Running
	})
	return c, out
}

func scale(t *testing.T, o *orchestrator.Orchestrator, name string, n int) (engine.Change, engine.Outcome) {
	t.Helper()
	return act(t, o, proposal("scale", name, map[string]any{"replicas": float64(n)}))
}

func actuatorOf(o *orchestrator.Orchestrator, verb string) engine.Actuator {
	switch verb {
	case "scale":
		return Scale(o)
	case "traffic":
		return Traffic(o)
	case "model.serve":
		return ModelServe(o)
	case "place":
		return Place(o)
	case "workflow.run":
		return WorkflowRun(o, nil)
	}
	return Restart(o)
}
