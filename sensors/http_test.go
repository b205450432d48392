package sensors_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

const answer = `{"models": {"a": {"accuracy": 0.93, "version": "v7", "ready": true, "tags": ["x", {"y": 1}], "none": null},
	"b/c~d": {"accuracy": 1}}, "at": "2023-11-14T22:13:00Z", "seconds": 1699999980.5, "": {"x": 1}}`

func TestHTTPTakesAValueByPointer(t *testing.T) {
	address := serve(t, text(200, "application/json", answer))
	ok := func(v any) engine.Signal { return engine.Signal{State: engine.OK, Value: v, At: now} }
	empty := engine.Signal{State: engine.Empty, Problem: "the answer has nothing there"}
	for pointer, want := range map[string]engine.Signal{
		"/models/a/accuracy":           ok(0.93),
		"/models/{name}/accuracy":      ok(0.93),
		"/models/{label:odd}/accuracy": ok(1.0),
		"/models/b~1c~0d/accuracy":     ok(1.0),
		"/models/a/version":            ok("v7"),
		"/models/a/ready":              ok(true),
		"/models/a/tags":               ok([]any{"x", map[string]any{"y": 1.0}}),
		"/models/a/tags/0":             ok("x"),
		"/models/a/tags/1/y":           ok(1.0),
		"//x":                          ok(1.0),
		"/models/a/none":               empty,
		"/models/{namespace}":          empty,
		"/models/a/tags/2":             empty,
		"/models/a/tags/01":            empty,
		"/models/a/tags/-":             empty,
		"/models/a/tags/-1":            empty,
		"/models/a/accuracy/x":         empty,
		"/models/a/":                   empty,
	} {
		t.Run(pointer, func(t *testing.T) {
			s := build(t, "http", &sensors.HTTPConfig{URL: address, Pointer: pointer, Type: typeOf(want.Value)}, sensors.Env{})
			require.Empty(t, cmp.Diff(want, sampleAt(t, s, now, target("x", "a", "odd", "b/c~d"))[0]))
		})
	}
}

func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	}
	return ""
}

// Defect 1 of the published system, again: a text compared with a number.
func TestDefect1ATextIsNeverTakenForANumber(t *testing.T) {
	address := serve(t, text(200, "application/json", `{"load": "50", "up": true}`))
	for pointer, want := range map[string]string{"/load": "the value is of type string, not number", "/up": "the value is of type boolean, not number", "": "the value is of type object, not number"} {
		s := build(t, "http", &sensors.HTTPConfig{URL: address, Pointer: pointer}, sensors.Env{})
		got := sampleAt(t, s, now, target("x", "a"))[0]
		require.Equal(t, engine.Error, got.State)
		require.Contains(t, got.Problem, want)
		require.Nil(t, got.Value)
	}
}

func TestHTTPTimestamp(t *testing.T) {
	address := serve(t, text(200, "application/json", answer))
	sample := func(pointer string) engine.Signal {
		s := build(t, "http", &sensors.HTTPConfig{URL: address, Pointer: "/models/a/accuracy", Timestamp: pointer}, sensors.Env{})
		return sampleAt(t, s, now, target("x", "a"))[0]
	}
	require.Equal(t, now.Add(-20*time.Second).UnixMilli(), sample("/at").At.UnixMilli())
	require.Equal(t, now.Add(-19500*time.Millisecond).UnixMilli(), sample("/seconds").At.UnixMilli())
	require.Equal(t, engine.Signal{State: engine.Error, Problem: "timestamp: is neither RFC 3339 nor seconds since 1970"}, sample("/models/a/version"))
	require.Equal(t, engine.Signal{State: engine.Error, Problem: "timestamp: the answer has nothing there"}, sample("/none"))
}

func TestHTTPAsksOnceForTheFleetOrOnceForEach(t *testing.T) {
	var requests atomic.Int64
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("Accept") != "application/json" || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		_, _ = fmt.Fprintf(w, `{"path": %q, "a": 1, "b": 2}`, r.URL.Path)
	})
	fleet := []engine.Target{target("x", "a"), target("x", "b"), target("x", "c")}
	got := sampleAt(t, build(t, "http", &sensors.HTTPConfig{URL: address, Pointer: "/{name}"}, sensors.Env{}), now, fleet...)
	require.Equal(t, int64(1), requests.Load())
	require.Equal(t, []any{1.0, 2.0, nil}, []any{got[0].Value, got[1].Value, got[2].Value})
	require.Equal(t, engine.Empty, got[2].State)

	got = sampleAt(t, build(t, "http", &sensors.HTTPConfig{Type: "string", URL: address + "/of/{name}", Pointer: "/path"}, sensors.Env{}), now, fleet...)
	require.Equal(t, int64(4), requests.Load())
	require.Equal(t, []any{"/of/a", "/of/b", "/of/c"}, []any{got[0].Value, got[1].Value, got[2].Value})
}

func TestHTTPFaultsKeepToTheirTarget(t *testing.T) {
	faults := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"drips":        {drip(`{"a":`), "no full answer in time"},
		"hangs":        {hang, "no full answer in time"},
		"404":          {text(404, "application/json", `{"a":1}`), "answered 404 Not Found"},
		"500":          {text(500, "text/html", "<html>"), "answered 500"},
		"204":          {text(204, "", ""), "not JSON: EOF"},
		"html":         {text(200, "text/html", "<html>"), "the answer is not JSON"},
		"empty":        {text(200, "application/json", ""), "the answer is not JSON: EOF"},
		"cut":          {text(200, "application/json", `{"a":1`), "the answer is not JSON"},
		"two":          {text(200, "application/json", `{"a":1}{"a":2}`), "more follows"},
		"infinite":     {text(200, "application/json", `{"a":1e999}`), "the answer is not JSON"},
		"nan":          {text(200, "application/json", `{"a":NaN}`), "the answer is not JSON"},
		"100mb":        {huge(`{"a":1,"b":"`, true), "more than 8 MiB"},
		"100mb-unsaid": {huge(`{"a":1,"b":"`, false), "more than 8 MiB"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid", http.StatusFound)
		}, "redirected to another host"},
		"round-and-on": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "redirected more than 5 times"},
		"not-modified": {text(304, "", ""), "answered 304"},
		"deep":         {text(200, "application/json", strings.Repeat("[", 20_000)), "the answer is not JSON"},
	}
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if f, ok := faults[strings.TrimPrefix(r.URL.Path, "/")]; ok {
			f.answer(w, r)
			return
		}
		_, _ = w.Write([]byte(`{"a": 1}`))
	})
	fleet := []engine.Target{target("x", "good")}
	for name := range faults {
		fleet = append(fleet, target("x", name))
	}
	s := build(t, "http", &sensors.HTTPConfig{URL: host + "/{name}", Pointer: "/a"}, sensors.Env{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	got, err := s.Sample(ctx, now, fleet)
	require.NoError(t, err)
	require.NoError(t, ctx.Err())
	require.Equal(t, engine.Signal{State: engine.OK, Value: 1.0, At: now}, got[0])
	for i, tg := range fleet[1:] {
		require.Equal(t, engine.Error, got[i+1].State, tg.Name)
		require.Contains(t, got[i+1].Problem, faults[tg.Name].want, tg.Name)
	}

	for name, f := range faults { // asked once for the fleet, they fail it as a whole
		t.Run(name, func(t *testing.T) {
			s := build(t, "http", &sensors.HTTPConfig{URL: serve(t, f.answer), Pointer: "/a"}, sensors.Env{})
			require.ErrorContains(t, failing(t, s, fleet...), f.want)
		})
	}
}

func TestHTTPCheck(t *testing.T) {
	for name, c := range map[string]struct {
		config sensors.HTTPConfig
		want   []string
	}{
		"good":  {sensors.HTTPConfig{URL: "https://x/{name}", Pointer: "/{label:a/b}", Timestamp: "/at"}, nil},
		"whole": {sensors.HTTPConfig{URL: "http://x"}, nil},
		"slash": {sensors.HTTPConfig{URL: "http://x", Pointer: "a"}, []string{"pointer: a JSON Pointer begins with /, as in /stats/accuracy"}},
		"escape": {sensors.HTTPConfig{URL: "x", Pointer: "/a~2", Timestamp: "/b~"}, []string{
			"url: has no scheme; begin it with http:// or https://",
			"pointer: ~ is written ~0 in a JSON Pointer, and / within a name ~1",
			"timestamp: ~ is written ~0 in a JSON Pointer, and / within a name ~1",
		}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.config.Check()) })
	}
}

func TestWorkload(t *testing.T) {
	a := target("x", "a")
	env := sensors.Env{Workloads: workloads{a.ID(): {Desired: 3, Ready: 1, Restarts: 7}}}
	for field, want := range map[string]float64{"desired": 3, "ready": 1, "unavailable": 2, "restarts": 7} {
		got := sampleAt(t, build(t, "workload", &sensors.WorkloadConfig{Field: field}, env), now, a, target("x", "b"))
		require.Equal(t, engine.Reading{
			{State: engine.OK, Value: want, At: now},
			{State: engine.Empty, Problem: "the orchestrator runs no such workload"},
		}, got)
	}
	env.Workloads = workloads{a.ID(): {Desired: 1, Ready: 2}}
	require.Equal(t, 0.0, sampleAt(t, build(t, "workload", &sensors.WorkloadConfig{Field: "unavailable"}, env), now, a)[0].Value)
	_, err := sensors.Kinds["workload"].New(&sensors.WorkloadConfig{Field: "ready"}, sensors.Env{})
	require.ErrorContains(t, err, "no orchestrator runs here")
	_, err = sensors.Kinds["workload"].New(&sensors.WorkloadConfig{Field: "size"}, env)
	require.ErrorContains(t, err, "field: must be one of")
}

func TestKinds(t *testing.T) {
	configs := sensors.Configs()
	require.Len(t, configs, len(sensors.Kinds))
	for name := range sensors.Kinds {
		require.NotNil(t, configs[name](), name)
		require.NotSame(t, configs[name](), configs[name]())
	}
}
