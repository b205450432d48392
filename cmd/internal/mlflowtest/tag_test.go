package mlflowtest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	verb "github.com/scanflow-k8s/scanflow/actuators/mlflow"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

func TestARunIsTagged(t *testing.T) {
	v := newVerbs(t)
	run := v.run("digits", "train", nil, nil, map[string]string{"by": "hand"})
	with := func(key, value string) string {
		return fmt.Sprintf(`{"run_id": %q, "key": %q, "value": %q}`, run.ID, key, value)
	}
	tags := func() map[string]string {
		got, err := v.c.Run(v.ctx(), run.ID)
		require.NoError(t, err)
		delete(got.Tags, "mlflow.runName")
		return got.Tags
	}
	require.Equal(t, fmt.Sprintf(`run %s: checked none -> "yes"`, run.ID), v.do("run.tag", with("checked", "yes")).Diff)
	require.Equal(t, fmt.Sprintf(`run %s: by "hand" -> "us"`, run.ID), v.do("run.tag", with("by", "us")).Diff)
	require.True(t, v.plan("run.tag", with("by", "us")).NoOp)
	require.Equal(t, map[string]string{"by": "us", "checked": "yes"}, tags())

	c := v.plan("run.tag", with("by", "us again"))
	require.NoError(t, v.c.SetRunTag(v.ctx(), run.ID, "by", "hand"))
	_, err := v.offered["run.tag"].Actuator.Apply(v.ctx(), c)
	require.ErrorIs(t, err, verb.ErrMoved)
	require.False(t, engine.IsRetryable(err))
	require.ErrorIs(t, v.refused("run.tag", `{"run_id": "00000000000000000000000000000000", "key": "k", "value": "v"}`), mlflow.ErrNotFound)
	require.Nil(t, v.offered["run.tag"].Claim)
}
