package sensors

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// runObject is a run as documents have it.
func runObject(r *mlflow.Run) map[string]any {
	out := map[string]any{
		"run_id": r.ID, "name": r.Name, "status": r.Status, "metrics": numbers(r.Metrics), "params": texts(r.Params), "tags": ownTags(r.Tags),
	}
	stamp(out, "start_ns", r.Start)
	stamp(out, "end_ns", r.End)
	return out
}

// runSchema is the JSON Schema of a runObject.
func runSchema() map[string]any {
	return parts(map[string]any{
		"run_id": typed("string"), "name": typed("string"), "status": typed("string"),
		"metrics": byKey("number"), "params": byKey("string"), "tags": byKey("string"),
		"start_ns": typed("integer"), "end_ns": typed("integer"),
	}, "start_ns", "end_ns")
}

// versionObject is a model version as documents have it, with what its run measured.
func versionObject(v *mlflow.Version, run *mlflow.Run) map[string]any {
	aliases := []any{}
	for _, a := range slices.Sorted(slices.Values(v.Aliases)) {
		aliases = append(aliases, a)
	}
	out := map[string]any{
		"model": v.Model, "version": v.Version, "run_id": v.RunID, "source": mlflow.PublicURL(v.Source), "stage": v.Stage, "aliases": aliases,
		"tags": ownTags(v.Tags), "metrics": numbers(run.Metrics), "params": texts(run.Params),
	}
	stamp(out, "created_ns", v.Created)
	return out
}

// versionSchema is the JSON Schema of a versionObject.
func versionSchema() map[string]any {
	return parts(map[string]any{
		"model": typed("string"), "version": typed("string"), "run_id": typed("string"), "source": typed("string"), "stage": typed("string"),
		"aliases": map[string]any{"type": "array", "items": typed("string")},
		"tags":    byKey("string"), "metrics": byKey("number"), "params": byKey("string"), "created_ns": typed("integer"),
	}, "created_ns")
}

// stamp sets a time, if there is one, and it can be counted in nanoseconds, of which a
// float64 would lose up to 128.
func stamp(out map[string]any, key string, t time.Time) {
	if !t.IsZero() && time.Unix(0, t.UnixNano()).Equal(t) {
		out[key] = engine.ExactNumber(json.Number(strconv.FormatInt(t.UnixNano(), 10)))
	}
}

// numbers leaves out what is no number: one bad metric must not spoil the others.
func numbers(m map[string]float64) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[k] = v
		}
	}
	return out
}

func texts(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// ownTags leaves out MLflow's, which are long (a model's history) and may hold what
// no document should (the user in a git remote).
func ownTags(m map[string]string) map[string]any {
	m = maps.Clone(m)
	maps.DeleteFunc(m, func(k, _ string) bool { return strings.HasPrefix(k, "mlflow.") })
	return texts(m)
}
