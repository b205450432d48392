package tracker

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// mlflow is the program of testdata/mlflow, which has MLflow's own messages and a
// client that others wrote. It is built once a run of the tests.
var mlflow = sync.OnceValues(func() (string, error) {
	path, err := filepath.Abs(filepath.Join(buildDir, "mlflow"))
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = filepath.Join("testdata", "mlflow")
	out, err := build.CombinedOutput()
	if err != nil {
		err = &buildError{err, string(out)}
	}
	return path, err
})

type buildError struct {
	err error
	out string
}

func (e *buildError) Error() string { return "build testdata/mlflow: " + e.err.Error() + "\n" + e.out }

// runMLflow runs the program and returns what it prints.
func runMLflow(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	name, err := mlflow()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), name, args...)
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(in), &out, &errs
	require.NoError(t, c.Run(), errs.String())
	return out.Bytes()
}

// theirs is one of MLflow's calls, as its .proto files describe it.
type theirs struct {
	Methods []string `json:"methods"`
	Path    string   `json:"path"`
	Fields  []struct {
		Name     string `json:"name"`
		Required bool   `json:"required"`
	} `json:"fields"`
}

func theirCalls(t *testing.T) map[string]theirs {
	t.Helper()
	var calls []theirs
	require.NoError(t, json.Unmarshal(runMLflow(t, nil, "api"), &calls))
	out := map[string]theirs{}
	for _, c := range calls {
		for _, m := range c.Methods {
			out[m+" "+c.Path] = c
		}
	}
	return out
}

// notHere are the calls of MLflow's tracking and registry API that the tracker does not have,
// as docs/tracker.md documents.
var notHere = []string{"POST /runs/log-inputs", "POST /runs/log-model"}

func TestRoutesAreThoseOfMLflow(t *testing.T) {
	t.Parallel()
	calls := theirCalls(t)
	ours := map[string]bool{}
	for _, r := range routes {
		for _, m := range r.methods {
			require.Contains(t, calls, m+" "+r.path)
			ours[m+" "+r.path] = true
		}
	}
	for call := range calls {
		require.Equal(t, !slices.Contains(notHere, call), ours[call], call)
	}
}

// TestRequiredParameters omits each parameter that MLflow requires.
func TestRequiredParameters(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	// MLflow's server does not require these, although its .proto files say so.
	lenient := []string{"value", "archive_existing_versions"}
	// A metric without a value is invalid.
	strict := map[string][]string{
		"POST /runs/log-metric":          {"run_id", "key", "value", "timestamp"},
		"POST /runs/log-parameter":       {"run_id", "key"},
		"POST /runs/log-batch":           {"run_id"},
		"POST /runs/set-tag":             {"run_id", "key"},
		"POST /runs/update":              {"run_id"},
		"GET /runs/get":                  {"run_id"},
		"GET /artifacts/list":            {"run_id"},
		"GET /metrics/get-history":       {"run_id", "metric_key"},
		"POST /experiments/update":       {"experiment_id", "new_name"},
		"POST /registered-models/rename": {"name", "new_name"},
	}
	for call, their := range theirCalls(t) {
		if slices.Contains(notHere, call) {
			continue
		}
		wanted, ok := strict[call]
		if !ok {
			for _, f := range their.Fields {
				if f.Required && !slices.Contains(lenient, f.Name) {
					wanted = append(wanted, f.Name)
				}
			}
		}
		method, path, _ := strings.Cut(call, " ")
		for i, without := range wanted {
			t.Run(call+" without "+without, func(t *testing.T) {
				body := object{}
				for _, name := range wanted[:i] { // they are looked at in order
					body[name] = 1
					if name != "value" && name != "timestamp" {
						body[name] = "1"
					}
				}
				for _, empty := range []any{nil, ""} {
					body[without] = empty
					status, answer := c.do(method, api+path, body)
					require.Equal(t, http.StatusBadRequest, status)
					require.Equal(t, "INVALID_PARAMETER_VALUE", answer["error_code"])
					require.Contains(t, answer["message"], "Missing value for required parameter '"+without+"'")
				}
			})
		}
	}
}

// TestClientOfOthers runs a third-party client of the REST API.
func TestClientOfOthers(t *testing.T) {
	t.Parallel()
	tr, err := Open(t.Context(), Options{Dir: t.TempDir()})
	require.NoError(t, err)
	web := httptest.NewServer(tr.Handler())
	t.Cleanup(func() {
		web.Close()
		require.NoError(t, tr.Close())
	})
	var got struct {
		Experiment, Run, Name, Param, Tag, Missing string
		Found                                      map[string]string
	}
	require.NoError(t, json.Unmarshal(runMLflow(t, nil, "client", web.URL), &got))
	require.Equal(t, "1", got.Experiment)
	require.Equal(t, "renamed", got.Name)
	require.Equal(t, "3", got.Param)
	require.Equal(t, "client", got.Tag)
	require.Equal(t, map[string]string{got.Run: "renamed"}, got.Found)
	require.Contains(t, got.Missing, "404")

	c := &client{t, web.URL}
	r := c.get("/runs/get?run_id=" + got.Run)
	require.Equal(t, "FINISHED", at(t, r, "run", "info", "status"))
	require.Len(t, at(t, r, "run", "data", "metrics"), 3)
	require.Len(t, at(t, c.get("/metrics/get-history?metric_key=loss&run_id="+got.Run), "metrics"), 3)
}
