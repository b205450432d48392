package verbparams

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

func TestParametersOfTheRegistry(t *testing.T) {
	for name, row := range map[string]struct {
		into any
		with map[string]any
		want []string
	}{
		"promote":               {&ModelPromote{}, map[string]any{"model": "digits", "version": "4"}, nil},
		"promote a number":      {&ModelPromote{}, map[string]any{"model": "digits", "version": 4.0}, []string{"version"}},
		"promote by alias":      {&ModelPromote{}, map[string]any{"model": "digits", "version": "newest"}, []string{"version: must be the number of a version"}},
		"promote to one alias":  {&ModelPromote{}, map[string]any{"model": "digits", "version": "4", "previous": "production"}, []string{"previous: must be another alias"}},
		"promote nothing":       {&ModelPromote{}, map[string]any{"model": "", "version": "0", "alias": ""}, []string{"model: must not be empty", "alias: must not be empty", "version: "}},
		"roll back":             {&ModelRollback{}, map[string]any{"model": "digits", "reason": "bad"}, nil},
		"roll back nothing":     {&ModelRollback{}, map[string]any{}, []string{"model"}},
		"roll back to the same": {&ModelRollback{}, map[string]any{"model": "digits", "alias": "previous"}, []string{"previous: must be another alias"}},
		"tag":                   {&RunTag{}, map[string]any{"run_id": "r", "key": "k", "value": "v"}, nil},
		"tag nothing":           {&RunTag{}, map[string]any{"run_id": "", "key": "", "value": "v"}, []string{"run_id: must not be empty", "key: must not be empty"}},
		"tag of MLflow":         {&RunTag{}, map[string]any{"run_id": "r", "key": "mlflow.user", "value": "v"}, []string{"key: what begins with mlflow."}},
	} {
		t.Run(name, func(t *testing.T) {
			got := manifest.DecodeMap(row.with, row.into)
			require.Len(t, got, len(row.want), "%q", got)
			for _, w := range row.want {
				require.Contains(t, strings.Join(got, "\n"), w)
			}
		})
	}
	w := &ModelPromote{}
	require.Empty(t, manifest.DecodeMap(map[string]any{"model": "digits", "version": "4"}, w))
	require.Equal(t, []string{"production", "previous"}, []string{w.Alias, w.Previous})
	require.Equal(t, "model/digits", ModelClaim(map[string]any{"model": "digits"}))
}
