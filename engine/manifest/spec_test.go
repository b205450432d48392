package manifest

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func good(t *testing.T) []*Agent {
	t.Helper()
	agents, err := Read([]string{filepath.Join("testdata", "good")}, sampleKinds())
	require.NoError(t, err)
	return agents
}

// The example of the design becomes what the engine runs.
func TestEngineSpecOfTheExample(t *testing.T) {
	planner := good(t)[0]
	got, err := planner.EngineSpec()
	require.NoError(t, err)
	want := engine.Spec{
		AgentInfo: engine.AgentInfo{Namespace: "mlperf", Name: "planner", Role: "planner", Layer: "infrastructure"},
		Mode:      engine.Enforce,
		Triggers: []engine.Trigger{
			{Name: "tick", Every: 10 * time.Second, Jitter: time.Second},
			{Name: "nightly"},
			{Name: "asked", Event: &engine.EventFilter{Types: []string{"dev.scanflow.retrain.requested"}}},
		},
		Strategies: []string{"serving.autoscale", "serving.failover"},
		Primitives: []string{"scale", "traffic", "webhook", "model.promote"},
		Params:     map[string]any{"requests_per_second_per_replica": 20.0},
		RetryFor:   2 * time.Hour,
		Priority:   10,
		Guards: engine.Guards{
			Replicas: &engine.ReplicaGuard{Min: 1, Max: 10, StepUp: 4, StepDown: 1},
			Cooldown: map[string]time.Duration{"up": 0, "down": 5 * time.Minute, "webhook": time.Minute},
			Hold:     10 * time.Minute,
			Budget:   &engine.BudgetGuard{Actions: 30, Per: time.Hour, Primitives: []string{"scale", "traffic"}},
			Fleet:    &engine.FleetGuard{Percent: 10, Per: 10 * time.Minute},
			Approval: []string{"model.promote"}, ApprovalExpiry: 24 * time.Hour,
			URLs: []string{"https://hooks.example.com/"},
		},
	}
	require.Empty(t, cmp.Diff(want, got, cmpopts.IgnoreFields(engine.Trigger{}, "Cron"), cmpopts.IgnoreFields(engine.Spec{}, "Generation")))

	selector, selected := planner.Selector()
	require.True(t, selected)
	require.Equal(t, engine.Selector{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: "mlperf",
		MatchLabels: map[string]string{"app.kubernetes.io/component": "predictor"},
	}, selector)

	sensor := planner.Spec.Sensors[0]
	require.Equal(t, "prometheus", sensor.Kind)
	require.Equal(t, 30*time.Second, sensor.StaleAfter.Duration)
	require.Equal(t, engine.DefaultSensorTimeout, sensor.Timeout.Duration)
	require.Equal(t, &prometheusConfig{
		Query: "sum by (namespace, deployment) (rate(http_requests_total[30s]))",
		Match: map[string]string{"namespace": "namespace", "deployment": "name"},
	}, sensor.Config)
}

func TestEngineSpecOfAStaticFleet(t *testing.T) {
	agents := good(t)
	tracker, err := agents[1].EngineSpec()
	require.NoError(t, err)
	require.Equal(t, engine.DryRun, tracker.Mode)
	fleet, err := tracker.Fleet.Targets(context.Background())
	require.NoError(t, err)
	require.Equal(t, []engine.Target{
		{Namespace: "default", Name: "digits", Labels: map[string]string{"tier": "1"}},
		{Namespace: "other", Name: "digits"},
		{Namespace: "default", Name: "db.example.com"},
	}, fleet)
	_, selected := agents[1].Selector()
	require.False(t, selected)
	require.Equal(t, map[string]any{
		"nothing": nil, "enabled": true, "since": "2026-03-01", "bounds": []any{0.5, 2.0, "many"},
		"nested": map[string]any{"deep": map[string]any{"er": []any{1.0, map[string]any{"a": "b"}}}},
	}, tracker.Params)
	require.Equal(t, &engine.FleetGuard{Targets: 3, Per: time.Hour}, tracker.Guards.Fleet)
	require.NotNil(t, tracker.Guards.URLs, "an empty list allows nothing; nil allows loopback")
	require.Empty(t, tracker.Guards.URLs)
	require.Equal(t, agents[1].Spec.Sensors[0].Config, agents[1].Spec.Sensors[1].Config, "by alias")
	require.True(t, tracker.Triggers[0].At.Equal(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)))

	selector, selected := agents[2].Selector()
	require.True(t, selected)
	require.Empty(t, selector.Namespace, "* is every namespace")

	watching, err := agents[2].EngineSpec()
	require.NoError(t, err)
	require.Equal(t, []engine.Trigger{
		{Name: "tick", Every: 90 * time.Second},
		{Name: "near", Watch: &engine.WatchSpec{Selector: engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "other"}}},
		{Name: "far", Watch: &engine.WatchSpec{
			Selector: engine.Selector{APIVersion: "v1", Kind: "Pod", MatchLabels: map[string]string{"app": "web"}}, Name: "web-0.db", Field: "status.phase",
		}},
	}, watching.Triggers)
}

// Events are taken by type and sender, alerts by their labels too.
func TestEngineSpecOfAnAgentThatOthersTalkTo(t *testing.T) {
	checker := good(t)[3]
	got, err := checker.EngineSpec()
	require.NoError(t, err)
	require.Equal(t, []engine.Trigger{
		{Name: "asked", Wait: 10 * time.Minute, Event: &engine.EventFilter{Types: []string{"dev.scanflow.check.requested"}, From: []string{"mlperf/tracker", "ci.example.com", "api"}}},
		{Name: "slow", Alert: &engine.EventFilter{
			Types: []string{engine.AlertFiring}, From: []string{"alertmanager"}, Labels: map[string]string{"severity": "page", "alertname": "SlowPredictions"},
		}},
		{Name: "calm", Alert: &engine.EventFilter{Types: []string{engine.AlertResolved}, Labels: map[string]string{"alertname": "SlowPredictions"}}},
		{Name: "each", Alert: &engine.EventFilter{Types: []string{engine.AlertFiring, engine.AlertResolved}}},
	}, got.Triggers)
	require.Equal(t, map[string]string{"severity": "page"}, checker.Spec.Triggers[1].Alert.MatchLabels, "the manifest is as it was read")
	require.Equal(t, engine.Guards{
		Hold:     engine.DefaultHold,
		Approval: []string{"model.promote"}, ApprovalExpiry: 90 * time.Minute,
		ApprovalNotify: "https://hooks.example.com/team/approvals", URLs: []string{"https://hooks.example.com/team/"},
	}, got.Guards)
	require.Equal(t, "retrained", checker.Spec.Sensors[0].Since)
	require.Empty(t, checker.Spec.Sensors[1].Since)
}

// An agent written as JSON, as a custom resource is stored, is the same agent.
func TestAnAgentIsReadAgainFromItsJSON(t *testing.T) {
	for _, want := range good(t) {
		raw, err := json.Marshal(want)
		require.NoError(t, err)
		got, mistakes := ReadObject(want.File, raw, sampleKinds())
		if own := want.processFields(); len(own) > 0 {
			require.Equal(t, own, mistakes, "%s", raw)
			continue
		}
		require.NoError(t, mistakes.Err(), "%s", raw)
		require.Empty(t, cmp.Diff(want, got, cmp.AllowUnexported(httpConfig{}, prometheusConfig{}), cmpopts.IgnoreFields(httpConfig{}, "unread"), cmpopts.IgnoreFields(Agent{}, "Line", "node", "object", "verbs")))
	}
}

// 03:00 in Madrid is another moment in summer, and a time that the clocks skip is
// not lost for good.
func TestCronInItsTimeZone(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err)
		return v
	}
	for _, c := range []struct{ expression, zone, after, want string }{
		{"0 3 * * *", "Europe/Madrid", "2026-01-10T12:00:00Z", "2026-01-11T02:00:00Z"},
		{"0 3 * * *", "Europe/Madrid", "2026-07-10T12:00:00Z", "2026-07-11T01:00:00Z"},
		{"0 3 * * *", "Europe/Madrid", "2026-03-28T02:00:00Z", "2026-03-29T01:00:00Z"},
		{"0 3 * * *", "", "2026-07-10T12:00:00Z", "2026-07-11T03:00:00Z"},
		{"@hourly", "", "2026-07-10T12:00:00Z", "2026-07-10T13:00:00Z"},
		{"*/5 * * * mon", "America/New_York", "2026-07-10T12:00:00Z", "2026-07-13T04:00:00Z"},
		{"0 0 29 2 *", "", "2026-07-10T12:00:00Z", "2028-02-29T00:00:00Z"},
	} {
		s, err := schedule(c.expression, c.zone)
		require.NoError(t, err)
		require.Equal(t, at(c.want), s.Next(at(c.after)).UTC(), "%s in %s after %s", c.expression, c.zone, c.after)
	}
}

// A generation follows the content and nothing else.
func TestGeneration(t *testing.T) {
	generation := func(text string) string {
		agents, err := ReadBytes("a.yaml", []byte(text), sampleKinds())
		require.NoError(t, err)
		spec, err := agents[0].EngineSpec()
		require.NoError(t, err)
		require.Regexp(t, `^[0-9a-f]{12}$`, spec.Generation)
		return spec.Generation
	}
	base := named("web") + "  sensors: [{name: load, prometheus: {query: a, match: {x: y, z: name}}}]\n  primitives: [scale, webhook]\n  params: {a: 1, b: [2]}\n"
	same := generation(base)
	for what, text := range map[string]string{
		"a comment":         "# why\n" + base,
		"the order of keys": strings.ReplaceAll(base, "{a: 1, b: [2]}", "{b: [2.0], a: 1}"),
		"another spelling":  strings.ReplaceAll(base, "every: 1s", "every: 1000ms"),
		"a default written": strings.ReplaceAll(base, "spec:", "spec:\n  mode: enforce"),
	} {
		require.Equal(t, same, generation(text), what)
	}
	seen := map[string]string{same: "the base"}
	for what, text := range map[string]string{
		"a param":       strings.ReplaceAll(base, "a: 1", "a: 2"),
		"a query":       strings.ReplaceAll(base, "query: a", "query: b"),
		"a trigger":     strings.ReplaceAll(base, "every: 1s", "every: 2s"),
		"the kind":      strings.ReplaceAll(base, "prometheus: {query: a, match: {x: y, z: name}}", "http: {url: 'http://a'}"),
		"no addresses":  base + "  guards: {urls: []}\n",
		"a mark":        strings.ReplaceAll(base, "{name: load,", "{name: load, since: checked,"),
		"another mark":  strings.ReplaceAll(base, "{name: load,", "{name: load, since: retrained,"),
		"an event":      strings.ReplaceAll(base, "every: 1s", "event: {type: t}"),
		"its sender":    strings.ReplaceAll(base, "every: 1s", "event: {type: t, from: [ci]}"),
		"an alert":      strings.ReplaceAll(base, "every: 1s", "alert: {}"),
		"its name":      strings.ReplaceAll(base, "every: 1s", "alert: {name: Slow}"),
		"its labels":    strings.ReplaceAll(base, "every: 1s", "alert: {matchLabels: {alertname: Slow}}"),
		"its end":       strings.ReplaceAll(base, "every: 1s", "alert: {status: resolved}"),
		"who tells it":  strings.ReplaceAll(base, "every: 1s", "alert: {from: [ci]}"),
		"an expiry":     base + "  guards: {approval: [scale], approvalExpiry: 1h}\n",
		"a notice":      base + "  guards: {approval: [scale], approvalNotify: 'http://localhost/'}\n",
		"another fleet": strings.ReplaceAll(base, "name: web}]", "name: api}]"),
	} {
		got := generation(text)
		require.NotContains(t, seen, got, what)
		seen[got] = what
	}
}

func TestEngineSpecOfAnAgentThatWasNotRead(t *testing.T) {
	_, err := (&Agent{Spec: Spec{Triggers: []Trigger{{Name: "nightly", Cron: "soon"}}}}).EngineSpec()
	require.ErrorContains(t, err, `trigger nightly: "soon" is not a cron expression`)
	_, err = (&Agent{Spec: Spec{Params: map[string]any{"f": func() {}}}}).EngineSpec()
	require.ErrorContains(t, err, "write it as JSON")
}
