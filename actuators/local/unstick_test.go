package local_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/queue"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// entrance sends requests to every ready pod, and counts which pod answers how many a second:
// what a gateway measures.
type entrance struct {
	o    *orchestrator.Orchestrator
	work sync.WaitGroup

	mu       sync.Mutex
	answered map[string][]time.Time
}

// countedOver is the span that answers are counted over.
const countedOver = 2 * time.Second

func (e *entrance) run(ctx context.Context) {
	for ctx.Err() == nil {
		w, _ := e.o.Workload(engine.TargetID{Kind: "Deployment", Namespace: "test", Name: "web"})
		for _, p := range w.Pods {
			if p.Ready {
				e.work.Go(func() { e.ask(ctx, p) })
			}
		}
		engine.Sleep(ctx, engine.WallClock{}, 20*time.Millisecond)
	}
}

func (e *entrance) ask(ctx context.Context, p engine.Pod) {
	ctx, cancel := context.WithTimeout(ctx, countedOver)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Ports["http"]+"/", nil)
	if err != nil {
		return
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	_ = answer.Body.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answered[p.Name] = append(e.answered[p.Name], time.Now())
}

func (e *entrance) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	now, rates := time.Now(), map[string]float64{}
	state, _ := e.o.Workload(engine.TargetID{Kind: "Deployment", Namespace: "test", Name: "web"})
	e.mu.Lock()
	for _, p := range state.Pods {
		n := 0
		for _, at := range e.answered[p.Name] {
			if now.Sub(at) < countedOver {
				n++
			}
		}
		rates[p.Name] = float64(n) / countedOver.Seconds()
	}
	e.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"answered": rates})
}

func targetPods(t *testing.T, f engine.Fleet) []engine.TargetPod {
	t.Helper()
	targets, err := f.Targets(t.Context())
	require.NoError(t, err)
	require.Len(t, targets, 1)
	return targets[0].Pods
}

// A process that hangs behind a readiness probe that it passes is the one that is replaced, by
// the strategy that ships, and no other.
func TestUnstickReplacesThePodThatHangs(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, filepath.Join(dir, "local"))
	testlocal.Reload(t, o, testlocal.Web("web", 3))
	testlocal.WaitReady(t, o, "web")
	gate := &entrance{o: o, answered: map[string][]time.Time{}}
	server := httptest.NewServer(gate)
	ctx, cancel := context.WithCancel(t.Context())
	gate.work.Go(func() { gate.run(ctx) })
	t.Cleanup(func() { cancel(); gate.work.Wait(); server.Close() })

	policies := policy.NewStore(source.FromFS(os.DirFS(filepath.Join("..", "..", "policies"))), policy.StoreOptions{})
	require.NoError(t, policies.Load(t.Context()))
	book, err := journal.Open(t.Context(), filepath.Join(dir, "journal"), journal.Options{})
	require.NoError(t, err)
	seen := &daemon{t: t, local: o}
	host := loop.New(loop.Config{
		Journal: book, Policies: policies, Observer: seen, Grace: 100 * time.Millisecond,
		Verbs: func(*queue.Router) map[string]engine.Verb {
			return map[string]engine.Verb{"restart": {Actuator: local.Restart(o), Claim: func(map[string]any) string { return "pods" }}}
		},
	})
	defer func() { host.Close(); require.NoError(t, book.Close()) }()
	fleet, err := o.Fleet(engine.Selector{Kind: "Deployment", Pods: true})
	require.NoError(t, err)
	answered, err := sensors.Kinds["http"].New(&sensors.HTTPConfig{URL: server.URL, Pointer: "/answered", Type: "object"}, sensors.Env{})
	require.NoError(t, err)
	host.Apply([]engine.Spec{{
		AgentInfo: engine.AgentInfo{Namespace: "test", Name: "unstick"}, Mode: engine.Enforce, Fleet: fleet, Triggers: []engine.Trigger{{Name: "tick", Every: 50 * time.Millisecond}},
		Sensors:    []engine.SensorSpec{{Name: "answered", Sensor: answered}},
		Strategies: []string{"serving.unstick"}, Primitives: []string{"restart"}, Generation: "1", Params: map[string]any{"grace_ns": 3e9},
	}})

	before := targetPods(t, fleet)
	stuck := before[1]
	w := testlocal.Workload(t, o, "web")
	_, _, err = testlocal.Get("http://" + w.Pods[1].Ports["http"] + "/hang")
	require.NoError(t, err)
	require.Equal(t, stuck.Name, w.Pods[1].Name)
	until(t, "the pod that hangs is replaced", func() bool { return len(seen.ended("restart")) == 1 })
	out := seen.ended("restart")[0]
	require.Equal(t, engine.Done, out.Status, out.Detail)
	require.Contains(t, out.Detail, "pod "+stuck.Name+" is ")
	after := targetPods(t, fleet)
	require.Len(t, after, 3)
	kept := 0
	for _, p := range after {
		require.NotEqual(t, stuck.Name, p.Name)
		if p == before[0] || p == before[2] {
			kept++
		}
	}
	require.Equal(t, 2, kept, "the others are left alone")
}
