package sensors_test

import (
	"context"
	"encoding/json"
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

// Defect 1 of the published system: it compared a text with a number.
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
	require.Equal(t, engine.Signal{State: engine.Error, Problem: "timestamp: is neither RFC 3339 nor seconds since 1970; if it is a number of another unit, or in quotes, say timestampUnit"}, sample("/models/a/version"))
	require.Equal(t, engine.Signal{State: engine.Error, Problem: "timestamp: the answer has nothing there"}, sample("/none"))
}

// Integers are exact or refused with their digits; quoted numbers and times in other units are
// read if the sensor says so.
func TestHTTPNumbers(t *testing.T) {
	const beyond = "would be another number as a 64-bit float"
	nested := func(n string) any {
		return map[string]any{"id": json.Number(n), "n": 1.0, "list": []any{json.Number("18446744073709551617"), 1e21}}
	}
	for name, c := range map[string]struct {
		kind, value string
		want        any
		problem     string
		state       engine.State
	}{
		"2^53":                         {"number", "9007199254740992", 9007199254740992.0, "", engine.OK},
		"2^53 + 1":                     {"number", "9007199254740993", nil, "the value 9007199254740993 " + beyond, engine.Error},
		"the same with an exponent":    {"number", "9.007199254740993e15", nil, beyond, engine.Error},
		"below 0":                      {"number", "-9007199254740993", nil, beyond, engine.Error},
		"2^64 + 1":                     {"number", "18446744073709551617", nil, "the value 18446744073709551617 " + beyond, engine.Error},
		"1e21":                         {"number", "1e21", 1e21, "", engine.OK},
		"a fraction is rounded":        {"number", "0.12345678901234567890", 0.12345678901234568, "", engine.OK},
		"too large":                    {"number", "1e999", nil, "the value 1e999 " + beyond, engine.Error},
		"within an object":             {"object", `{"id": 9007199254740993, "n": 1, "list": [18446744073709551617, 1e21]}`, nested("9007199254740993"), "", engine.OK},
		"too large, within a list":     {"array", "[1, [1e400]]", nil, "the value has the number 1e400 at /1/0, which is too large", engine.Error},
		"in quotes":                    {"number-text", `"12.5"`, 12.5, "", engine.OK},
		"in quotes, with an exponent":  {"number-text", `"-1E3"`, -1000.0, "", engine.OK},
		"in quotes, 2^53 + 1":          {"number-text", `"9007199254740993"`, nil, "the value 9007199254740993 " + beyond, engine.Error},
		"in quotes, 1e21":              {"number-text", `"1e21"`, 1e21, "", engine.OK},
		"in quotes, not a number":      {"number-text", `"NaN"`, nil, "the value is NaN", engine.NaN},
		"in quotes, infinite":          {"number-text", `"-Infinity"`, nil, "the value is -Inf", engine.NaN},
		"in quotes, too large":         {"number-text", `"1e999"`, nil, "the value is +Inf", engine.NaN},
		"in quotes, with a unit":       {"number-text", `"12ms"`, nil, `the value is the text "12ms", which is no number`, engine.Error},
		"in quotes, hexadecimal":       {"number-text", `"0x10"`, nil, "which is no number", engine.Error},
		"in quotes, nothing":           {"number-text", `""`, nil, `the value is the text "", which is no number`, engine.Error},
		"not in quotes":                {"number-text", `12`, nil, "the value is of type number, and no text; say type: number", engine.Error},
		"in quotes, and not said so":   {"number", `"12"`, nil, "the value is of type string, not number", engine.Error},
		"no text":                      {"number-text", `true`, nil, "the value is of type boolean, not number-text", engine.Error},
		"none":                         {"number-text", `null`, nil, "the answer has nothing there", engine.Empty},
		"a large one elsewhere":        {"number", `3, "other": 9007199254740993`, 3.0, "", engine.OK},
		"one beyond floats, elsewhere": {"number", `3, "other": 1e999`, 3.0, "", engine.OK},
	} {
		t.Run(name, func(t *testing.T) {
			s := build(t, "http", &sensors.HTTPConfig{URL: serve(t, text(200, "application/json", `{"v": `+c.value+`}`)), Pointer: "/v", Type: c.kind}, sensors.Env{})
			got := sampleAt(t, s, now, target("x", "a"))[0]
			require.Equal(t, c.state, got.State, got.Problem)
			require.Equal(t, c.want, got.Value)
			require.Contains(t, got.Problem, c.problem)
		})
	}
	require.Equal(t, "number", (&sensors.HTTPConfig{Type: "number-text"}).ValueType())
	require.Equal(t, []string{"timestampUnit: goes with timestamp; add that, or leave it out"}, (&sensors.HTTPConfig{URL: "http://x", Unit: "ms"}).Check().Lines())
}

func TestHTTPTimestampUnits(t *testing.T) {
	for name, c := range map[string]struct {
		unit, stamp string
		want        time.Time
		problem     string
	}{
		"milliseconds":            {"ms", "1700000000123", time.UnixMilli(1700000000123), ""},
		"in quotes":               {"ms", `"1700000000123"`, time.UnixMilli(1700000000123), ""},
		"seconds in quotes":       {"s", `"1700000000.5"`, time.UnixMilli(1700000000500), ""},
		"microseconds":            {"us", "1700000000123456", time.UnixMicro(1700000000123456), ""},
		"nanoseconds":             {"ns", "1700000000123456789", time.Unix(1700000000, 123456789), ""},
		"nanoseconds in quotes":   {"ns", `"1700000000123456789"`, time.Unix(1700000000, 123456789), ""},
		"RFC 3339":                {"ms", `"2026-03-01T12:00:00Z"`, time.Time{}, "timestamp: is no number, and timestampUnit is ms; leave that out for RFC 3339"},
		"no time":                 {"s", "1e300", time.Time{}, "timestamp: is no time that can be counted, in s since 1970"},
		"milliseconds, not said":  {"", "1700000000123", time.Time{}, "if it counts milliseconds, say timestampUnit: ms"},
		"nanoseconds, not said":   {"", "1700000000123456789", time.Time{}, "if it counts nanoseconds, say timestampUnit: ns"},
		"in quotes, and not said": {"", `"1700000000"`, time.Time{}, "or in quotes, say timestampUnit"},
		"true":                    {"s", "true", time.Time{}, "timestamp: is no number"},
	} {
		t.Run(name, func(t *testing.T) {
			s := build(t, "http", &sensors.HTTPConfig{URL: serve(t, text(200, "application/json", `{"v": 1, "t": `+c.stamp+`}`)), Pointer: "/v", Timestamp: "/t", Unit: c.unit}, sensors.Env{})
			got := sampleAt(t, s, now, target("x", "a"))[0]
			if c.problem != "" {
				require.Equal(t, engine.Error, got.State)
				require.Contains(t, got.Problem, c.problem)
				return
			}
			require.Equal(t, engine.OK, got.State, got.Problem)
			require.True(t, c.want.Equal(got.At), got.At)
		})
	}
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
		"204":          {text(204, "", ""), "answered 204 No Content"},
		"html":         {text(200, "text/html", "<html>"), "the answer is not JSON"},
		"empty":        {text(200, "application/json", ""), "the answer is not JSON: EOF"},
		"cut":          {text(200, "application/json", `{"a":1`), "the answer is not JSON"},
		"two":          {text(200, "application/json", `{"a":1}{"a":2}`), "more follows"},
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
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.config.Check().Lines()) })
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
