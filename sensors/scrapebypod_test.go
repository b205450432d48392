package sensors_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// By pod, a page that can't be read says which pod it is of, and the others are not taken for
// all of them.
func TestScrapeByPod(t *testing.T) {
	busy, idle, fresh := newApplication(t), newApplication(t), newApplication(t)
	busy.requests.WithLabelValues("200", "/").Add(5)
	busy.requests.WithLabelValues("200", "/x").Add(7)
	idle.requests.WithLabelValues("200", "/").Add(0)
	hung := strings.TrimPrefix(serve(t, hang), "http://")
	broken := strings.TrimPrefix(serve(t, text(500, "text/plain", "oops")), "http://")
	nan := strings.TrimPrefix(serve(t, text(200, "text/plain", "requests_total NaN\n")), "http://")
	unready := engine.Pod{Name: "starting", Ports: map[string]string{"http": broken}}
	all := map[string]struct {
		pods    []engine.Pod
		state   engine.State
		value   any
		missing map[string]engine.State
		problem string
	}{
		"all-answer":        {pods: []engine.Pod{ready("p", busy.address), ready("q", idle.address), unready}, state: engine.OK, value: map[string]any{"p": 12.0, "q": 0.0}},
		"one-hangs":         {pods: []engine.Pod{ready("p", busy.address), ready("q", hung)}, state: engine.Error, missing: map[string]engine.State{"q": engine.Error}, problem: "the pods: 1 of 2 have no value: q: error: http://" + hung + "/metrics: no full answer in time"},
		"one-fails":         {pods: []engine.Pod{ready("p", busy.address), ready("q", broken)}, state: engine.Error, missing: map[string]engine.State{"q": engine.Error}, problem: "q: error: http://" + broken + "/metrics: answered 500"},
		"one-has-no-port":   {pods: []engine.Pod{ready("p", busy.address), {Name: "q", Ready: true}}, state: engine.Error, missing: map[string]engine.State{"q": engine.Error}, problem: `q: error: the pod has no port "http"`},
		"one-has-no-metric": {pods: []engine.Pod{ready("p", busy.address), ready("q", fresh.address)}, state: engine.Empty, missing: map[string]engine.State{"q": engine.Empty}, problem: "q: empty: no page has a sample of requests_total"},
		"one-is-no-number":  {pods: []engine.Pod{ready("p", busy.address), ready("q", nan)}, state: engine.NaN, missing: map[string]engine.State{"q": engine.NaN}, problem: "q: nan: the value is NaN"},
		"the-worst-counts":  {pods: []engine.Pod{ready("p", nan), ready("q", broken), ready("r", fresh.address), ready("s", busy.address)}, state: engine.Error, missing: map[string]engine.State{"p": engine.NaN, "q": engine.Error, "r": engine.Empty}, problem: "3 of 4 have no value"},
		"none-is-ready":     {pods: []engine.Pod{unready}, state: engine.Empty, problem: "no pod of the target is ready"},
		"no-pods":           {state: engine.Empty, problem: "no pod of the target is ready"},
	}
	view, fleet := workloads{}, []engine.Target{}
	for name, c := range all {
		fleet = append(fleet, target("x", name))
		view[target("x", name).ID()] = engine.Workload{Pods: c.pods}
	}
	s := build(t, "scrape", &sensors.ScrapeConfig{Port: "http", Metric: "requests_total", By: "pod"}, sensors.Env{Workloads: view})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	got, err := s.Sample(ctx, now, fleet)
	require.NoError(t, err)
	for i, tg := range fleet {
		want := all[tg.Name]
		require.Equal(t, want.state, got[i].State, "%s: %s", tg.Name, got[i].Problem)
		require.Equal(t, want.value, got[i].Value, tg.Name)
		require.Equal(t, want.missing, got[i].Missing, tg.Name)
		require.Contains(t, got[i].Problem, want.problem, tg.Name)
	}

	rates := build(t, "scrape", &sensors.ScrapeConfig{Port: "http", Metric: "requests_total", By: "pod", Rate: seconds(60)}, sensors.Env{Workloads: view})
	web := target("x", "all-answer")
	require.Equal(t, map[string]engine.State{"p": engine.Empty, "q": engine.Empty}, sampleAt(t, rates, now, web)[0].Missing)
	busy.requests.WithLabelValues("200", "/").Add(20)
	second := sampleAt(t, rates, now.Add(10*time.Second), web)[0]
	require.Equal(t, engine.Signal{State: engine.OK, Value: map[string]any{"p": 2.0, "q": 0.0}, At: now.Add(10 * time.Second), Window: time.Minute}, second)
}

func TestScrapeByPodCheck(t *testing.T) {
	c := &sensors.ScrapeConfig{Port: "http", Metric: "a", By: "pod"}
	require.Empty(t, c.Check())
	require.Equal(t, "object", c.ValueType())
	require.NotNil(t, c.ValueSchema())
	c = &sensors.ScrapeConfig{URL: "http://{name}/", Metric: "a", By: "pod"}
	require.Equal(t, []string{"by: goes with port: a url does not say which pod answers; give port in place of url, or leave it out"}, c.Check().Lines())
	require.Equal(t, "number", (&sensors.ScrapeConfig{}).ValueType())
}
