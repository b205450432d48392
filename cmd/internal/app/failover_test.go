package app

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

const failoverAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: failover, namespace: models}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {role: primary}}}
  triggers: [{name: tick, every: 100ms}]
  sensors:
    - {name: ready_replicas, prometheus: {query: kube_deployment_status_replicas_ready}, staleAfter: 10s}
    - {name: ready_replicas_min, prometheus: {query: "min_over_time(kube_deployment_status_replicas_ready[2s])"}, staleAfter: 10s}
  strategies: [serving.failover]
  primitives: [traffic]
  params: {route: digits, primary: large, backup: small}
`

const failoverWorkloads = `apiVersion: apps/v1
kind: Deployment
metadata: {name: large, namespace: models, labels: {role: primary}}
spec:
  replicas: 0
  selector: {matchLabels: {app: large}}
  template:
    metadata: {labels: {app: large}}
    spec: {containers: [{name: server, image: digits, command: [scanflow, digits, serve], ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: small, namespace: models}
spec:
  replicas: 0
  selector: {matchLabels: {app: small}}
  template:
    metadata: {labels: {app: small}}
    spec: {containers: [{name: server, image: digits, command: [scanflow, digits, serve], ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: large, namespace: models}
spec: {selector: {app: large}, ports: [{port: 8081, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: small, namespace: models}
spec: {selector: {app: small}, ports: [{port: 8082, targetPort: http}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: digits, namespace: models}
spec:
  parentRefs: [{name: gateway, port: 8090}]
  rules:
    - backendRefs: [{name: large, port: 8081, weight: 100}, {name: small, port: 8082, weight: 0}]
`

// failoverWhile is the window of ready_replicas_min above.
const failoverWhile = 2 * time.Second

// failoverStage is a metric that a test writes, the real Prometheus engine, the
// strategy that ships, and the real orchestrator.
type failoverStage struct {
	*testing.T
	prom   *promengine.Engine
	system *App
	acts   *actLog
}

func newFailoverStage(t *testing.T) *failoverStage { return stageOfFailover(t, failoverAgent) }

func stageOfFailover(t *testing.T, agent string) *failoverStage {
	prom, err := promengine.Open(promengine.Options{})
	require.NoError(t, err)
	api := httptest.NewServer(prom.Handler())
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
		return name
	}
	s := &failoverStage{T: t, prom: prom, acts: &actLog{acts: make(chan engine.Act, 10), reasons: map[string]string{}}}
	s.system, err = start(t, Options{
		Manifests: []string{file("failover.yaml", agent)}, Workloads: []string{file("workloads.yaml", failoverWorkloads)},
		Data: filepath.Join(dir, "data"), Prometheus: api.URL, StopPods: true,
		Local: orchestrator.Options{RandomPorts: true}, Log: hclog.NewNullLogger(),
	}, s.acts)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.system.Stop(context.Background()))
		api.Close()
		require.NoError(t, prom.Close())
	})
	require.True(t, s.weights(100, 0), "as declared")
	return s
}

// weights reports whether the route itself has them.
func (s *failoverStage) weights(large, small int) bool {
	change, err := local.Traffic(s.system.Local).Plan(s.Context(), engine.Proposal{
		Primitive: "traffic", Identity: "look", With: map[string]any{"route": "digits", "weights": map[string]any{"large": float64(large), "small": float64(small)}},
		Target: engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "models", Name: "large"},
	})
	require.NoError(s, err)
	return change.NoOp
}

// says writes the metric, as scrapes would, until an act ends, and returns the act.
func (s *failoverStage) says(ready float64) engine.Act {
	s.Helper()
	return s.saysOf(map[string]float64{"large": ready})
}

// scraped writes one sample for each Deployment.
func (s *failoverStage) scraped(ready map[string]float64) {
	s.Helper()
	var samples []promengine.Sample
	for name, n := range ready {
		samples = append(samples, promengine.Sample{
			Labels: map[string]string{"__name__": "kube_deployment_status_replicas_ready", "namespace": "models", "deployment": name},
			At:     time.Now(), Value: n,
		})
	}
	require.NoError(s, s.prom.Append(s.Context(), samples))
}

func (s *failoverStage) saysOf(ready map[string]float64) engine.Act {
	s.Helper()
	scrape := time.NewTicker(50 * time.Millisecond)
	defer scrape.Stop()
	deadline := time.After(30 * time.Second)
	for {
		<-scrape.C // two samples of one moment are refused
		s.scraped(ready)
		select {
		case a := <-s.acts.acts:
			require.Equal(s, engine.Done, a.Outcome.Status, a.Outcome.Detail)
			return a
		case <-deadline:
			require.FailNow(s, "nothing was done in 30 s")
		default:
		}
	}
}

// Defect 1 of the published system: the failover never fired, since "no replica
// ready" was read as "nothing seen".
func TestDefect1FailoverFires(t *testing.T) {
	s := newFailoverStage(t)
	gone := s.says(0)
	require.Equal(t, "primary_not_ready", s.acts.reason(gone))
	require.Equal(t, "weights large 100 -> 0, small 0 -> 100", gone.Change.Diff)
	require.True(t, s.weights(0, 100), "the route itself")
}

// Defect 3 of the published system: a failover stopped watching after one patch and
// never failed back.
func TestDefect3FailoverGoesOnWatching(t *testing.T) {
	s := newFailoverStage(t)
	for range 2 { // and once more, as if it had never happened
		require.Equal(t, "primary_not_ready", s.acts.reason(s.says(0)))
		require.True(t, s.weights(0, 100))
		begin := time.Now()
		back := s.says(2)
		require.Equal(t, "primary_ready_for_a_while", s.acts.reason(back))
		require.Equal(t, "weights large 0 -> 100, small 100 -> 0", back.Change.Diff)
		require.True(t, s.weights(100, 0), "the route itself")
		require.GreaterOrEqual(t, back.At.Sub(begin), failoverWhile-100*time.Millisecond, "not before it was there for a while")
	}
	require.Empty(t, s.acts.acts, "and nothing else was done")
}

// A careful failover: nothing is sent to a backup without a ready replica, the way back
// is in steps, each held for its time, and after a second loss the traffic stays away
// twice as long: a primary that flaps does not make the traffic flap.
func TestFailoverInSteps(t *testing.T) {
	const step, healthy = 400 * time.Millisecond, 1500 * time.Millisecond
	s := stageOfFailover(t, strings.NewReplacer("[2s]", "[500ms]", "  strategies:", `    - name: backup_ready_replicas
      prometheus: {query: 'sum by (namespace) (kube_deployment_status_replicas_ready{deployment="small"})', match: {namespace: namespace}}
  strategies:`, "backup: small", "backup: small, backup_requests_per_second_per_replica: 10, back_steps: [10, 50], step_ns: 400e6, healthy_ns: 1500e6").
		Replace(strings.ReplaceAll(failoverAgent, "query: kube_deployment_status_replicas_ready}", `query: 'kube_deployment_status_replicas_ready{deployment="large"}'}`)))
	there, gone := map[string]float64{"large": 2, "small": 1}, map[string]float64{"large": 0, "small": 1}

	require.Nil(t, s.saysUntil(map[string]float64{"large": 0, "small": 0}, time.Second), "no traffic to nothing")
	for n, wait := range []time.Duration{healthy, 2 * healthy} {
		lost := s.saysOf(gone)
		require.Equal(t, "primary_not_ready", s.acts.reason(lost))
		require.True(t, s.weights(0, 100))
		last := lost.At
		for i, share := range []int{10, 50, 100} {
			back := s.saysOf(there)
			require.Equal(t, "primary_ready_for_a_while", s.acts.reason(back))
			require.True(t, s.weights(share, 100-share), "%s", back.Change.Diff)
			least := step
			if i == 0 {
				least = wait
			}
			require.GreaterOrEqual(t, back.At.Sub(last), least, "loss %d, step %d", n+1, i+1)
			last = back.At
		}
	}
	require.Empty(t, s.acts.acts, "and nothing else was done")
}

// saysUntil writes the metric for some time; an act that ends meanwhile is returned.
func (s *failoverStage) saysUntil(ready map[string]float64, d time.Duration) *engine.Act {
	s.Helper()
	scrape := time.NewTicker(50 * time.Millisecond)
	defer scrape.Stop()
	end := time.After(d)
	for {
		select {
		case a := <-s.acts.acts:
			return &a
		case <-end:
			return nil
		case <-scrape.C:
			s.scraped(ready)
		}
	}
}

// actLog passes on the acts that ended, and knows why they were done.
type actLog struct {
	acts    chan engine.Act
	mu      sync.Mutex
	reasons map[string]string // by identity
}

func (l *actLog) Fired(f engine.FiringRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range f.Decisions {
		if d.Verdict == engine.Admitted {
			l.reasons[d.Identity] = d.Reason
		}
	}
}

func (l *actLog) Acted(a engine.Act) { l.acts <- a }

func (l *actLog) reason(a engine.Act) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reasons[a.Identity]
}
