package sensors

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// runObject converts a run to its form in documents.
func runObject(r *mlflow.Run) map[string]any {
	out := map[string]any{
		"run_id": r.ID, "name": r.Name, "status": r.Status, "metrics": finiteMap(r.Metrics), "params": stringMap(r.Params), "tags": userTags(r.Tags),
	}
	setTimestamp(out, "start_ns", r.Start)
	setTimestamp(out, "end_ns", r.End)
	return out
}

// runSchema is the JSON Schema of a runObject.
func runSchema() map[string]any {
	return objectSchema(map[string]any{
		"run_id": typeSchema("string"), "name": typeSchema("string"), "status": typeSchema("string"),
		"metrics": mapSchema("number"), "params": mapSchema("string"), "tags": mapSchema("string"),
		"start_ns": typeSchema("integer"), "end_ns": typeSchema("integer"),
	}, "start_ns", "end_ns")
}

// versionObject converts a model version, with the metrics and params of its run, to its form
// in documents.
func versionObject(v *mlflow.Version, run *mlflow.Run) map[string]any {
	aliases := []any{}
	for _, a := range slices.Sorted(slices.Values(v.Aliases)) {
		aliases = append(aliases, a)
	}
	out := map[string]any{
		"model": v.Model, "version": v.Version, "run_id": v.RunID, "source": mlflow.PublicURL(v.Source), "stage": v.Stage, "aliases": aliases,
		"tags": userTags(v.Tags), "metrics": finiteMap(run.Metrics), "params": stringMap(run.Params),
	}
	setTimestamp(out, "created_ns", v.Created)
	return out
}

// versionSchema is the JSON Schema of a versionObject.
func versionSchema() map[string]any {
	return objectSchema(map[string]any{
		"model": typeSchema("string"), "version": typeSchema("string"), "run_id": typeSchema("string"), "source": typeSchema("string"), "stage": typeSchema("string"),
		"aliases": map[string]any{"type": "array", "items": typeSchema("string")},
		"tags":    mapSchema("string"), "metrics": mapSchema("number"), "params": mapSchema("string"), "created_ns": typeSchema("integer"),
	}, "created_ns")
}

// setTimestamp adds a time in nanoseconds, unless it is zero or out of range. As a float64 it
// would lose up to 128 ns.
func setTimestamp(out map[string]any, key string, t time.Time) {
	if !t.IsZero() && time.Unix(0, t.UnixNano()).Equal(t) {
		out[key] = jsonvalue.Exact(json.Number(strconv.FormatInt(t.UnixNano(), 10)))
	}
}

// finiteMap drops NaN and infinite values, so that one bad metric does not invalidate the
// others.
func finiteMap(m map[string]float64) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[k] = v
		}
	}
	return out
}

func stringMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// userTags drops MLflow's own tags: they are long (a model's history), and may contain what no
// document should have (the user in a git remote).
func userTags(m map[string]string) map[string]any {
	m = maps.Clone(m)
	maps.DeleteFunc(m, func(k, _ string) bool { return strings.HasPrefix(k, "mlflow.") })
	return stringMap(m)
}
