package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

func listen(t *testing.T, address, token string, ready func() []string) *Server {
	t.Helper()
	l, err := Listen(t.Context(), address)
	require.NoError(t, err)
	var own *Token
	if token != "" {
		own = tokenOf(t, token)
	}
	s := Serve(l, Options{
		Token: own, Registry: NewMetrics(Sources{Version: "v1"}).Registry(), Ready: ready, Log: hclog.NewNullLogger(),
		API: map[string]func(*http.Request) (any, error){
			"/v1/fine": func(*http.Request) (any, error) { return map[string]int{"n": 1}, nil },
			"/v1/bad":  func(*http.Request) (any, error) { return nil, fmt.Errorf("%w: since", ErrBadRequest) },
		},
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		require.NoError(t, s.Close(ctx))
	})
	return s
}

func get(t *testing.T, url, token, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if host != "" {
		req.Host = host
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func TestWhoMaySeeWhat(t *testing.T) {
	fine := func() []string { return nil }
	open := "http://" + listen(t, "127.0.0.1:0", "", fine).Addr()
	guarded := "http://" + listen(t, "127.0.0.1:0", "s3cret", fine).Addr()
	_, port, err := net.SplitHostPort(listen(t, "0.0.0.0:0", "", fine).Addr())
	require.NoError(t, err)
	wide := "http://127.0.0.1:" + port
	for name, row := range map[string]struct {
		url, token, host string
		want             int
	}{
		"health":                              {open + "/healthz", "", "", 200},
		"health beyond loopback":              {wide + "/healthz", "", "", 200},
		"metrics beyond loopback":             {wide + "/metrics", "", "", 200},
		"API on loopback":                     {open + "/v1/fine", "", "", 200},
		"API beyond loopback without a token": {wide + "/v1/fine", "", "", 403},
		"API by a page that resolves to us":   {open + "/v1/fine", "", "evil.example:80", 403},
		"API with the token":                  {guarded + "/v1/fine", "s3cret", "", 200},
		"API without the token":               {guarded + "/v1/fine", "", "", 401},
		"API with another":                    {guarded + "/v1/fine", "s3cre", "", 401},
		"metrics where there is a token":      {guarded + "/metrics", "", "", 200},
		"a bad request":                       {open + "/v1/bad", "", "", 400},
		"nothing there":                       {open + "/v1/none", "", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := get(t, row.url, row.token, row.host)
			require.Equal(t, row.want, code, body)
			require.NotContains(t, body, "s3cret")
		})
	}
}

func TestReadinessSaysWhatIsMissing(t *testing.T) {
	s := listen(t, "127.0.0.1:0", "", func() []string { return []string{"the journal can't be written", "agent a has not fired"} })
	code, body := get(t, "http://"+s.Addr()+"/readyz", "", "")
	require.Equal(t, 503, code)
	require.Equal(t, "the journal can't be written\nagent a has not fired\n", body)
}

func TestAnAddressInUseIsAClearError(t *testing.T) {
	s := listen(t, "127.0.0.1:0", "", func() []string { return nil })
	_, err := Listen(t.Context(), s.Addr())
	require.ErrorContains(t, err, "pass another address with --listen")
}

func TestMetricsCountWhatTheEngineTells(t *testing.T) {
	agents := []loop.AgentStatus{{Agent: "ns/a", Mode: engine.Enforce, Interval: 10 * time.Second, Targets: 3, Started: time.Unix(1000, 0), LastFiring: time.Unix(2000, 0)}}
	leads := true
	m := NewMetrics(Sources{
		Version: "v1", Agents: func() []loop.AgentStatus { return agents },
		Policy: func() PolicyStatus {
			return PolicyStatus{Revision: "abc", LoadedAt: time.UnixMilli(1500), LastAttempt: time.Unix(7, 0), LastError: "bad", Successes: 2, Failures: 1,
				Trying: new(time.UnixMilli(9500)), Quarantine: []Quarantined{{Kind: "strategy", Name: "a.b"}, {Kind: "guard", Name: "g"}}}
		},
		Manifests: func() ReloadStatus { return ReloadStatus{Successes: 4, Failures: 3} },
		Journal:   func() JournalStatus { return JournalStatus{Bytes: 4096, Error: "full"} },
		Waiting: func() (WaitingStatus, bool) {
			return WaitingStatus{Boxes: engine.QueueDepths{Inbox: 5, Outbox: 6, Dead: 1}, Approvals: 2}, leads
		},
		Cluster: func() ClusterStatus {
			return ClusterStatus{
				Install: "ml/scanflow", Shard: 1, Shards: 3, Leading: true, Requests: map[string]int64{"GET": 7, "PATCH": 2},
				Lease: &LeaseStatus{RenewalAge: 1500 * time.Millisecond, Duration: 15 * time.Second, Conflict: true, Failing: map[string]time.Duration{"forbidden": 20 * time.Second, "timeout": 0}},
			}
		},
	})
	m.Refused("credential_unknown")
	m.Fired(engine.FiringRecord{Agent: "ns/a", Trigger: engine.TriggerInfo{Kind: "every"}, BySignal: map[string]map[engine.State]int{"load": {engine.OK: 2, engine.Stale: 1}}, Problems: []string{"x"},
		Evaluated: 2, Evaluations: 5, Took: 20 * time.Millisecond, Lag: 2 * time.Second,
		Decisions: []engine.Decision{{Strategy: "s", Primitive: "scale", Verdict: engine.Refused, By: "guards.cooldown"}, {Strategy: "s", Primitive: "scale", Verdict: engine.Admitted}}})
	m.Acted(engine.Act{
		Intent: engine.Intent{
			Change: engine.Change{Proposal: engine.Proposal{Agent: "ns/a", Strategy: "s", Primitive: "scale"}},
			At:     time.Unix(100, 0),
		}, EndedAt: time.Unix(104, 0), Outcome: engine.Outcome{Status: engine.Done},
	})
	// All metrics, as samples without their names; the helps are those of the definitions.
	expect := map[string]string{
		"scanflow_acts_total":                          `{agent="ns/a",dry_run="false",outcome="done",primitive="scale",strategy="s"} 1`,
		"scanflow_agent_interval_seconds":              `{agent="ns/a"} 10`,
		"scanflow_agent_last_firing_timestamp_seconds": `{agent="ns/a"} 2000`,
		"scanflow_agent_targets":                       `{agent="ns/a",mode="enforce"} 3`,
		"scanflow_build_info":                          `{version="v1"} 1`,
		"scanflow_leader":                              `{install="ml/scanflow",shard="1"} 1`,
		"scanflow_shards":                              `{install="ml/scanflow"} 3`,
		"scanflow_lease_renewal_age_seconds":           `{install="ml/scanflow",shard="1"} 1.5`,
		"scanflow_lease_duration_seconds":              `{install="ml/scanflow",shard="1"} 15`,
		"scanflow_lease_conflict":                      `{install="ml/scanflow",shard="1"} 1`,
		"scanflow_lease_failing_seconds": `{install="ml/scanflow",reason="forbidden",shard="1"} 20
{install="ml/scanflow",reason="timeout",shard="1"} 0`,
		"scanflow_kubernetes_requests_total": `{method="GET"} 7
{method="PATCH"} 2`,
		"scanflow_decisions_total": `{agent="ns/a",primitive="scale",strategy="s",verdict="admitted"} 1
{agent="ns/a",primitive="scale",strategy="s",verdict="refused"} 1`,
		"scanflow_events": `{box="dead"} 1
{box="inbox"} 5
{box="outbox"} 6`,
		"scanflow_approvals_waiting":               ` 2`,
		"scanflow_evaluated_targets":               `{agent="ns/a"} 2`,
		"scanflow_strategy_evaluations":            `{agent="ns/a"} 5`,
		"scanflow_firing_problems":                 `{agent="ns/a"} 1`,
		"scanflow_firings_total":                   `{agent="ns/a",trigger="every"} 1`,
		"scanflow_journal_size_bytes":              ` 4096`,
		"scanflow_journal_writable":                ` 0`,
		"scanflow_manifest_last_reload_successful": ` 1`,
		"scanflow_manifest_reloads_total": `{result="failure"} 3
{result="success"} 4`,
		"scanflow_policy_last_attempt_timestamp_seconds": ` 7`,
		"scanflow_policy_last_reload_successful":         ` 0`,
		"scanflow_policy_loaded_timestamp_seconds":       ` 1.5`,
		"scanflow_policy_reloads_total": `{result="failure"} 1
{result="success"} 2`,
		"scanflow_policy_revision_info": `{revision="abc"} 1`,
		"scanflow_policy_quarantined": `{kind="guard",name="g"} 1
{kind="strategy",name="a.b"} 1`,
		"scanflow_policy_reload_in_progress":               ` 1`,
		"scanflow_policy_reload_started_timestamp_seconds": ` 9.5`,
		"scanflow_refusals_total":                          `{agent="ns/a",by="guards.cooldown"} 1`,
		"scanflow_signals": `{agent="ns/a",signal="load",state="empty"} 0
{agent="ns/a",signal="load",state="error"} 0
{agent="ns/a",signal="load",state="nan"} 0
{agent="ns/a",signal="load",state="ok"} 2
{agent="ns/a",signal="load",state="stale"} 1`,
		"scanflow_http_refused_total": `{reason="agent"} 0
{reason="another_site"} 0
{reason="closed"} 0
{reason="credential_missing"} 0
{reason="credential_unknown"} 1
{reason="right_missing"} 0`,
		"scanflow_firing_duration_seconds": histogram(`agent="ns/a"`, 0.02),
		"scanflow_firing_lag_seconds":      histogram(`agent="ns/a"`, 2),
		"scanflow_act_duration_seconds":    histogram(`primitive="scale"`, 4),
	}
	require.Len(t, Definitions(), len(expect))
	for _, d := range Definitions() {
		require.Contains(t, expect, d.Name)
		text := fmt.Sprintf("# HELP %[1]s %[2]s\n# TYPE %[1]s %[3]s\n", d.Name, d.Help, d.Type)
		for line := range strings.SplitSeq(expect[d.Name], "\n") {
			text += d.Name + line + "\n"
		}
		require.NoError(t, testutil.CollectAndCompare(m, strings.NewReader(text), d.Name), d.Name)
	}
	require.Equal(t, 5, testutil.CollectAndCount(m, "scanflow_signals"))
	leads = false
	require.Zero(t, testutil.CollectAndCount(m, "scanflow_events", "scanflow_approvals_waiting"), "who stands by knows of none")
	agents = nil
	require.Equal(t, 0, testutil.CollectAndCount(m, "scanflow_signals"), "the gauges of an agent that is gone are gone")
}

// histogram is the exposition of one observation: the buckets that contain it, the sum and the
// count.
func histogram(label string, v float64) string {
	var out []string
	for _, bound := range []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30} {
		n := 0
		if v <= bound {
			n = 1
		}
		out = append(out, fmt.Sprintf(`_bucket{%s,le="%g"} %d`, label, bound, n))
	}
	out = append(out, fmt.Sprintf(`_bucket{%s,le="+Inf"} 1`, label), fmt.Sprintf(`_sum{%s} %g`, label, v), fmt.Sprintf(`_count{%s} 1`, label))
	return strings.Join(out, "\n")
}

func TestEveryMetricIsDefinedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Definitions() {
		require.False(t, seen[d.Name], d.Name)
		require.NotEmpty(t, d.Help, d.Name)
		require.True(t, strings.HasPrefix(d.Name, "scanflow_"), d.Name)
		seen[d.Name] = true
	}
}

// Closing succeeds in spite of a connection that was opened and never used.
func TestAnUnusedConnectionDoesNotHoldUpTheEnd(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	s := Serve(l, Options{Registry: NewMetrics(Sources{}).Registry(), Ready: func() []string { return nil }, Log: hclog.NewNullLogger()})
	conn, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	resp, err := http.Get("http://" + s.Addr() + "/healthz") // by then the server has the other one too
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.NoError(t, s.Close(ctx))
}
