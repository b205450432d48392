package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// metricsServer is a real engine, whose front may drop a parameter.
func metricsServer(t *testing.T, drop string, samples ...promengine.Sample) string {
	t.Helper()
	e, err := promengine.Open(promengine.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	require.NoError(t, e.Append(t.Context(), samples))
	api := e.Handler()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		r.Form.Del(drop)
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// A command that has just begun and the daemon say the same of a series that is too old,
// and of one that never was.
func TestEvalAndTheDaemonAgreeOnWhatIsStale(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	now := time.Now()
	server := metricsServer(t, "",
		promengine.Sample{Labels: map[string]string{"__name__": "load", "namespace": "prod", "deployment": "api"}, At: now.Add(-2 * time.Minute), Value: 1},
		promengine.Sample{Labels: map[string]string{"__name__": "up"}, At: now, Value: 1})
	s.sensing(twoTargets, fmt.Sprintf(`
    - {name: load, staleAfter: 30s, prometheus: {address: %q, query: load}}`, server))
	_, errs := evals(t, "-f", s.agents, "--policies", s.policies)
	require.Equal(t, `signal load of prod/api: stale: no sample is within 30s, which is staleAfter; there is an older one
signal load of prod/web: empty: nothing was measured
`, errs)
	d := startDaemon(t, s.args()...)
	d.metric(`scanflow_signals{agent="test/watcher",signal="load",state="stale"} 1`)
	d.metric(`scanflow_signals{agent="test/watcher",signal="load",state="empty"} 1`)
	d.said("the server heeds lookback_delta")
	d.stop()
}

// Where the server ignores the look-back, eval, the log and the metrics say so.
func TestStaleAfterThatHasNoEffectIsAProblem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	now := time.Now()
	server := metricsServer(t, "lookback_delta",
		promengine.Sample{Labels: map[string]string{"__name__": "load"}, At: now.Add(-2 * time.Minute), Value: 1},
		promengine.Sample{Labels: map[string]string{"__name__": "up"}, At: now.Add(-time.Second), Value: 1})
	s.sensing("{static: [{name: api, namespace: prod}]}", fmt.Sprintf(`
    - {name: load, staleAfter: 30s, prometheus: {address: %q, query: load}}`, server))
	_, errs := evals(t, "-f", s.agents, "--policies", s.policies)
	const says = "sensor load: staleAfter has no effect: "
	require.Contains(t, errs, "problem: "+says+server+" ignores lookback_delta")
	d := startDaemon(t, s.args()...)
	d.metric(`scanflow_firing_problems{agent="test/watcher"} 1`)
	d.metric(`scanflow_signals{agent="test/watcher",signal="load",state="ok"} 1`)
	d.said(says)
	d.stop()
}
