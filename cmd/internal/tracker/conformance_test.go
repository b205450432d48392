package tracker

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// exchange is a successful request, to be compared with MLflow's messages.
type exchange struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   any    `json:"body,omitempty"`
	Answer any    `json:"answer"`
}

// session sends requests in order and records them.
type session struct {
	*client
	clock *clock
	done  []exchange
}

func startSession(t *testing.T) *session {
	t.Helper()
	c, clock := start(t)
	return &session{client: c, clock: clock}
}

// asks sends a request whose answer must be exactly this one.
func (s *session) asks(method, path string, body any, want any) {
	s.t.Helper()
	got := s.ok(method, path, body)
	raw, err := json.Marshal(want)
	require.NoError(s.t, err)
	var wanted any
	require.NoError(s.t, json.Unmarshal(raw, &wanted))
	require.Empty(s.t, cmp.Diff(wanted, any(got)), "%s %s", method, path)
	s.done = append(s.done, exchange{method, path, body, got})
	s.clock.pass(time.Millisecond)
}

// runAt returns the info of a run in experiment 1.
func runAt(id, name string, started int64, more object) object {
	info := object{
		"run_id": id, "run_uuid": id, "run_name": name, "experiment_id": "1", "user_id": "ann", "status": "RUNNING", "start_time": started,
		"artifact_uri": "mlflow-artifacts:/1/" + id + "/artifacts", "lifecycle_stage": "active",
	}
	for k, v := range more {
		info[k] = v
	}
	return info
}

// TestConformance makes every call and compares all fields of the answers with MLflow's
// messages: they decode them all, and have no other fields than those of later releases.
func TestConformance(t *testing.T) {
	t.Parallel()
	s := startSession(t)
	s.experiments()
	s.runs()
	s.registry()
	asked := map[string]bool{}
	var lines bytes.Buffer
	for _, x := range s.done {
		path, _, _ := strings.Cut(x.Path, "?")
		asked[x.Method+" "+path] = true
		require.NoError(t, json.NewEncoder(&lines).Encode(x))
	}
	for _, r := range routes {
		for _, m := range r.methods {
			require.True(t, asked[m+" "+r.path], "nobody asked %s %s", m, r.path)
		}
	}
	runMLflow(t, lines.Bytes(), "decode")
}

func (s *session) experiments() {
	const t0 = dayMillis
	s.asks(post, "/experiments/create", object{"name": "digits", "tags": listOf(object{"key": "team", "value": "vision"})}, object{"experiment_id": "1"})
	digits := object{
		"experiment_id": "1", "name": "digits", "artifact_location": "mlflow-artifacts:/1", "lifecycle_stage": "active",
		"creation_time": t0, "last_update_time": t0, "tags": listOf(object{"key": "team", "value": "vision"}),
	}
	standard := object{
		"experiment_id": "0", "name": "Default", "artifact_location": "mlflow-artifacts:/0", "lifecycle_stage": "active",
		"creation_time": t0, "last_update_time": t0,
	}
	s.asks(get, "/experiments/get?experiment_id=1", nil, object{"experiment": digits})
	s.asks(get, "/experiments/get-by-name?experiment_name=digits", nil, object{"experiment": digits})
	s.asks(get, "/experiments/get?experiment_id=0", nil, object{"experiment": standard})
	s.asks(post, "/experiments/search", object{"max_results": 1, "order_by": listOf("name DESC"), "filter": "tags.team = 'vision'"}, object{"experiments": listOf(digits)})
	s.asks(get, "/experiments/search?max_results=1&view_type=ALL", nil, object{"experiments": listOf(standard), "next_page_token": "eyJvZmZzZXQiOiAxfQ=="})
	s.asks(get, "/experiments/search?max_results=1&view_type=ALL&page_token=eyJvZmZzZXQiOiAxfQ==", nil, object{"experiments": listOf(digits)})

	s.asks(post, "/experiments/update", object{"experiment_id": "1", "new_name": "digits-2"}, object{})
	digits["name"], digits["last_update_time"] = "digits-2", t0+7
	s.asks(post, "/experiments/set-experiment-tag", object{"experiment_id": "1", "key": "stage", "value": "dev"}, object{})
	digits["tags"] = listOf(object{"key": "stage", "value": "dev"}, object{"key": "team", "value": "vision"})
	s.asks(get, "/experiments/get?experiment_id=1", nil, object{"experiment": digits})

	s.asks(post, "/experiments/delete", object{"experiment_id": "1"}, object{})
	digits["lifecycle_stage"], digits["last_update_time"] = "deleted", t0+10
	s.asks(get, "/experiments/get?experiment_id=1", nil, object{"experiment": digits})
	s.asks(post, "/experiments/search", object{"view_type": "DELETED_ONLY", "max_results": 5}, object{"experiments": listOf(digits)})
	s.asks(post, "/experiments/restore", object{"experiment_id": "1"}, object{})
	s.asks(post, "/experiments/search", object{"view_type": "DELETED_ONLY", "max_results": 5}, object{})
}

func (s *session) runs() {
	now := s.clock.Now().UnixMilli()
	const id = "6ae6783f4fbd491baeb88b73a48ed247" // the first that the tests' source draws
	tags := func(name string) []any {
		return listOf(object{"key": "kind", "value": "train"}, object{"key": "mlflow.runName", "value": name})
	}
	s.asks(post, "/runs/create", object{"experiment_id": "1", "user_id": "ann", "run_name": "one", "start_time": now - 5, "tags": listOf(object{"key": "kind", "value": "train"})},
		object{"run": object{"info": runAt(id, "one", now-5, nil), "data": object{"tags": tags("one")}, "inputs": object{}}})
	s.asks(post, "/runs/log-metric", object{"run_id": id, "key": "accuracy", "value": 0.5, "timestamp": now, "step": 0}, object{})
	s.asks(post, "/runs/log-metric", object{"run_uuid": id, "key": "accuracy", "value": 0.75, "timestamp": now + 1, "step": 1}, object{})
	s.asks(post, "/runs/log-parameter", object{"run_id": id, "key": "depth", "value": "3"}, object{})
	s.asks(post, "/runs/log-batch", object{
		"run_id":  id,
		"metrics": listOf(object{"key": "loss", "value": "NaN", "timestamp": now, "step": 2}, object{"key": "worst", "value": "-Infinity", "timestamp": now, "step": 0}),
		"params":  listOf(object{"key": "depth", "value": "3"}, object{"key": "rate", "value": "0.1"}),
		"tags":    listOf(object{"key": "note", "value": "first"}),
	}, object{})
	s.asks(post, "/runs/set-tag", object{"run_id": id, "key": "note", "value": "second"}, object{})
	data := object{
		"metrics": listOf(
			object{"key": "accuracy", "value": 0.75, "timestamp": now + 1, "step": 1},
			object{"key": "loss", "value": "NaN", "timestamp": now, "step": 2},
			object{"key": "worst", "value": -1.7976931348623157e308, "timestamp": now, "step": 0}),
		"params": listOf(object{"key": "depth", "value": "3"}, object{"key": "rate", "value": "0.1"}),
		"tags":   append(tags("one"), object{"key": "note", "value": "second"}),
	}
	run := object{"info": runAt(id, "one", now-5, nil), "data": data, "inputs": object{}}
	s.asks(get, "/runs/get?run_id="+id, nil, object{"run": run})
	s.asks(get, "/runs/get?run_uuid="+id, nil, object{"run": run})
	s.asks(post, "/runs/search", object{"experiment_ids": listOf("1"), "filter": "metrics.accuracy > 0.7", "run_view_type": "ACTIVE_ONLY", "max_results": 1, "order_by": listOf("metrics.accuracy DESC")},
		object{"runs": listOf(run)})
	s.asks(get, "/metrics/get-history?metric_key=accuracy&run_id="+id, nil, object{"metrics": listOf(
		object{"key": "accuracy", "value": 0.5, "timestamp": now, "step": 0}, object{"key": "accuracy", "value": 0.75, "timestamp": now + 1, "step": 1})})
	s.asks(get, "/metrics/get-history?metric_key=accuracy&max_results=1&run_id="+id, nil, object{
		"metrics": listOf(object{"key": "accuracy", "value": 0.5, "timestamp": now, "step": 0}), "next_page_token": "eyJvZmZzZXQiOiAxfQ=="})
	s.asks(get, "/metrics/get-history?metric_key=none&run_id="+id, nil, object{})
	s.asks(post, "/runs/delete-tag", object{"run_id": id, "key": "note"}, object{})
	s.asks(post, "/runs/update", object{"run_id": id, "status": "FINISHED", "end_time": now + 9, "run_name": "uno"},
		object{"run_info": runAt(id, "uno", now-5, object{"status": "FINISHED", "end_time": now + 9})})
	data["tags"] = tags("uno")
	run["info"] = runAt(id, "uno", now-5, object{"status": "FINISHED", "end_time": now + 9, "lifecycle_stage": "deleted"})
	s.asks(post, "/runs/delete", object{"run_id": id}, object{})
	s.asks(get, "/runs/get?run_id="+id, nil, object{"run": run})
	s.asks(post, "/runs/restore", object{"run_id": id}, object{})
	s.asks(get, "/artifacts/list?run_id="+id, nil, object{"root_uri": "mlflow-artifacts:/1/" + id + "/artifacts"})
	status, _ := s.raw(http.MethodPut, "/api/2.0/mlflow-artifacts/artifacts/1/"+id+"/artifacts/model/weights", strings.NewReader("1234"))
	require.Equal(s.t, http.StatusOK, status)
	s.asks(get, "/artifacts/list?run_id="+id, nil, object{
		"root_uri": "mlflow-artifacts:/1/" + id + "/artifacts", "files": listOf(object{"path": "model", "is_dir": true})})
	s.asks(get, "/artifacts/list?path=model&run_id="+id, nil, object{
		"root_uri": "mlflow-artifacts:/1/" + id + "/artifacts", "files": listOf(object{"path": "model/weights", "is_dir": false, "file_size": 4})})
}

func (s *session) registry() {
	model := object{"name": "digits", "description": "reads digits", "creation_timestamp": s.millis(), "last_updated_timestamp": s.millis(), "tags": listOf(object{"key": "task", "value": "ocr"})}
	s.asks(post, "/registered-models/create", object{"name": "digits", "description": "reads digits", "tags": listOf(object{"key": "task", "value": "ocr"})}, object{"registered_model": model})
	version := func(number, stage string, more object) object {
		v := object{"name": "digits", "version": number, "current_stage": stage, "status": "READY", "source": "runs:/abc/model", "run_id": "abc"}
		for k, x := range more {
			v[k] = x
		}
		return v
	}
	made := s.millis()
	one := version("1", "None", object{"creation_timestamp": made, "last_updated_timestamp": made, "description": "first", "run_link": "http://x/1", "tags": listOf(object{"key": "by", "value": "ann"})})
	s.asks(post, "/model-versions/create", object{"name": "digits", "source": "runs:/abc/model", "run_id": "abc", "run_link": "http://x/1", "description": "first", "tags": listOf(object{"key": "by", "value": "ann"})}, object{"model_version": one})
	made = s.millis()
	two := version("2", "None", object{"creation_timestamp": made, "last_updated_timestamp": made})
	s.asks(post, "/model-versions/create", object{"name": "digits", "source": "runs:/abc/model", "run_id": "abc"}, object{"model_version": two})
	s.asks(get, "/model-versions/get?name=digits&version=1", nil, object{"model_version": one})
	s.asks(get, "/model-versions/get-download-uri?name=digits&version=1", nil, object{"artifact_uri": "runs:/abc/model"})
	s.asks(post, "/registered-models/alias", object{"name": "digits", "alias": "production", "version": "1"}, object{})
	one["aliases"] = listOf("production")
	s.asks(get, "/registered-models/alias?name=digits&alias=production", nil, object{"model_version": one})
	s.asks(get, "/registered-models/alias?name=digits&alias=latest", nil, object{"model_version": two})

	one["current_stage"], one["last_updated_timestamp"] = "Production", s.millis()
	s.asks(post, "/model-versions/transition-stage", object{"name": "digits", "version": "1", "stage": "production", "archive_existing_versions": false}, object{"model_version": one})
	two["current_stage"], two["last_updated_timestamp"] = "Production", s.millis()
	one["current_stage"], one["last_updated_timestamp"], model["last_updated_timestamp"] = "Archived", s.millis(), s.millis()
	s.asks(post, "/model-versions/transition-stage", object{"name": "digits", "version": "2", "stage": "Production", "archive_existing_versions": true}, object{"model_version": two})
	model["latest_versions"], model["aliases"] = listOf(one, two), listOf(object{"alias": "production", "version": "1"})
	s.asks(get, "/registered-models/get?name=digits", nil, object{"registered_model": model})
	s.asks(get, "/registered-models/get-latest-versions?name=digits&stages=Production&stages=Staging", nil, object{"model_versions": listOf(two)})
	s.asks(post, "/registered-models/get-latest-versions", object{"name": "digits"}, object{"model_versions": listOf(one, two)})
	s.asks(get, "/registered-models/search?max_results=1&order_by=name+ASC&filter="+url.QueryEscape("name LIKE 'dig%'"), nil, object{"registered_models": listOf(model)})
	s.asks(get, "/model-versions/search?max_results=1&order_by=version_number+ASC&filter="+url.QueryEscape("name='digits'"), nil,
		object{"model_versions": listOf(one), "next_page_token": "eyJvZmZzZXQiOiAxfQ=="})

	two["description"], two["last_updated_timestamp"] = "second", s.millis()
	s.asks(patch, "/model-versions/update", object{"name": "digits", "version": "2", "description": "second"}, object{"model_version": two})
	s.asks(post, "/model-versions/set-tag", object{"name": "digits", "version": "2", "key": "ok", "value": "yes"}, object{})
	two["tags"] = listOf(object{"key": "ok", "value": "yes"})
	s.asks(get, "/model-versions/get?name=digits&version=2", nil, object{"model_version": two})
	s.asks(del, "/model-versions/delete-tag", object{"name": "digits", "version": "2", "key": "ok"}, object{})
	delete(two, "tags")
	s.asks(post, "/registered-models/set-tag", object{"name": "digits", "key": "task", "value": "digits"}, object{})
	s.asks(del, "/registered-models/delete-tag", object{"name": "digits", "key": "task"}, object{})
	delete(model, "tags")
	s.asks(del, "/registered-models/alias", object{"name": "digits", "alias": "production"}, object{})
	delete(model, "aliases")
	delete(one, "aliases")

	model["description"], model["last_updated_timestamp"] = "reads", s.millis()
	s.asks(patch, "/registered-models/update", object{"name": "digits", "description": "reads"}, object{"registered_model": model})
	model["name"], one["name"], two["name"] = "numbers", "numbers", "numbers"
	model["last_updated_timestamp"], one["last_updated_timestamp"], two["last_updated_timestamp"] = s.millis(), s.millis(), s.millis()
	s.asks(post, "/registered-models/rename", object{"name": "digits", "new_name": "numbers"}, object{"registered_model": model})
	model["last_updated_timestamp"] = s.millis()
	s.asks(del, "/model-versions/delete", object{"name": "numbers", "version": "2"}, object{})
	model["latest_versions"] = listOf(one)
	s.asks(get, "/registered-models/get?name=numbers", nil, object{"registered_model": model})
	made = s.millis()
	s.asks(post, "/model-versions/create", object{"name": "numbers", "source": "models:/numbers/1"}, object{"model_version": object{
		"name": "numbers", "version": "3", "current_stage": "None", "status": "READY", "source": "models:/numbers/1", "creation_timestamp": made, "last_updated_timestamp": made}})
	s.asks(get, "/model-versions/get-download-uri?name=numbers&version=3", nil, object{"artifact_uri": "runs:/abc/model"})
	s.asks(del, "/registered-models/delete", object{"name": "numbers"}, object{})
	s.asks(get, "/registered-models/search", nil, object{})
}

// millis is the time of the next request.
func (s *session) millis() int64 { return s.clock.Now().UnixMilli() }
