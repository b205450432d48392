package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// measuredSeries answers instant queries as a Prometheus server does: by a part of the query, the
// result. It has no series for any other query.
type measuredSeries struct {
	mu      sync.Mutex
	results map[string][]sample
}

type sample struct {
	labels map[string]string
	value  float64
}

func (m *measuredSeries) set(query string, series ...sample) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.results[query] = series
}

func (m *measuredSeries) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	result := []map[string]any{}
	for query, series := range m.results {
		if !strings.Contains(r.FormValue("query"), query) {
			continue
		}
		for _, s := range series {
			result = append(result, map[string]any{"metric": s.labels, "value": []any{float64(time.Now().UnixMilli()) / 1000, fmt.Sprint(s.value)}})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": result}})
}

// kitchen is a recipe that runs, on Deployments of this machine.
type kitchen struct {
	*reader
	*daemon
	series *measuredSeries
}

// cook starts a recipe with edits to its manifest, on Deployments of two pods each.
func cook(t *testing.T, recipe string, edits *strings.Replacer, deployments ...string) *kitchen {
	t.Helper()
	k := &kitchen{reader: recipes(t)[recipe], series: &measuredSeries{results: map[string][]sample{}}}
	server := httptest.NewServer(k.series)
	t.Cleanup(server.Close)
	agent := filepath.Join(k.dir, "agent.yaml")
	require.NoError(t, os.WriteFile(agent, []byte(edits.Replace(k.content("agent.yaml"))), 0o600))
	var workloads strings.Builder
	for _, name := range deployments {
		fmt.Fprintf(&workloads, `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: digits, labels: {app.kubernetes.io/component: predictor}}
spec:
  replicas: 2
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: main, command: [sleep, "3600"]}]}
`, name)
	}
	require.NoError(t, os.WriteFile(filepath.Join(k.dir, "workloads.yaml"), []byte(workloads.String()), 0o600))
	args := []string{"-f", agent, "--workloads", filepath.Join(k.dir, "workloads.yaml"), "--stop-pods", "--data", k.data(), "--prometheus", server.URL}
	if k.policies() != "" {
		args = append(args, "--policies", filepath.Join(k.dir, "policies"))
	}
	k.daemon = startDaemon(t, args...)
	return k
}

func (k *kitchen) data() string { return filepath.Join(k.dir, "data") }

// documentOfNow is the document that a running agent would decide on now.
type documentOfNow struct {
	Target struct {
		Name     string
		Replicas struct{ Desired int }
		Pods     []struct {
			Name  string
			Ready bool
		}
	}
	Memory map[string]struct{ Remembered struct{ Looks int } }
}

func (k *kitchen) now(agent string) (out []documentOfNow) {
	k.reader.t.Helper()
	c := command(k.reader.t, "eval", "--server", k.url, "--agent", agent)
	raw, err := c.Output()
	if err != nil {
		return nil // it is still starting
	}
	for d := json.NewDecoder(bytes.NewReader(raw)); ; {
		var one struct{ Document documentOfNow }
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return out
		} else {
			require.NoError(k.reader.t, err)
		}
		out = append(out, one.Document)
	}
}

// admitted are the acts of the agent so far.
func (k *kitchen) admitted() string {
	k.reader.t.Helper()
	out, code := scanflow(k.reader.t, "decisions", "--data", k.data(), "--verdict", "admitted", "--json")
	require.Zero(k.reader.t, code, out)
	return out
}

// The third look in a row acts, and one look that is not saturated begins the count anew.
func TestCookbookThirdLookActs(t *testing.T) {
	t.Parallel()
	k := cook(t, "three-looks", strings.NewReplacer("{name: look, every: 10s}", "{name: look, event: {type: org.example.look}}"), "digits")
	defer k.stop()
	digits := map[string]string{"namespace": "digits", "deployment": "digits"}
	k.series.set("http_requests_total", sample{digits, 30})
	k.series.set("http_request_duration_seconds_bucket", sample{digits, 0.5})
	require.Eventually(t, func() bool {
		now := k.now("saturated")
		return len(now) == 1 && now[0].Target.Replicas.Desired == 2
	}, 30*time.Second, 50*time.Millisecond)
	looks := 0
	look := func(queued float64, want int) {
		t.Helper()
		looks++
		k.series.set("http_requests_queued", sample{digits, queued})
		event := fmt.Sprintf(`{"specversion": "1.0", "id": "%d", "source": "/test", "type": "org.example.look"}`, looks)
		answer, err := http.Post(k.url+"/v1/events", "application/cloudevents+json", strings.NewReader(event))
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Less(t, answer.StatusCode, 300)
		require.Eventually(t, func() bool {
			now := k.now("saturated")
			return len(now) == 1 && now[0].Memory["cookbook.saturated"].Remembered.Looks == want
		}, 30*time.Second, 50*time.Millisecond, "look %d: it never remembers %d", looks, want)
	}
	look(4, 1)
	look(4, 2)
	look(0, 0)
	look(4, 1)
	look(4, 2)
	require.Empty(t, k.admitted(), "two looks, a break, and two more")
	look(4, 3)
	require.Eventually(t, func() bool { return strings.Contains(k.admitted(), "saturated_for_three_looks") }, 30*time.Second, 50*time.Millisecond)
	require.Equal(t, 1, strings.Count(k.admitted(), `"replicas":3`), k.admitted())
}

// With a stuck pod in each of two services people are told of both and asked. The first yes
// restarts one pod; the second is held back by the bound of the fleet, and another pod of the
// first by the budget.
func TestCookbookRestartsOneStuckPodAnHour(t *testing.T) {
	t.Parallel()
	chat := newApp(t)
	k := cook(t, "unstick", strings.NewReplacer("every: 30s", "every: 200ms", "https://chat.example.com", chat.URL, "  guards:", "  params: {grace_ns: 0}\n  guards:"), "digits", "letters")
	defer k.stop()
	pods := func() (out map[string][]string) {
		out = map[string][]string{}
		for _, doc := range k.now("unstick") {
			for _, pod := range doc.Target.Pods {
				if pod.Ready {
					out[doc.Target.Name] = append(out[doc.Target.Name], pod.Name)
				}
			}
		}
		return out
	}
	ready := func() bool { now := pods(); return len(now["digits"]) == 2 && len(now["letters"]) == 2 }
	require.Eventually(t, ready, 30*time.Second, 50*time.Millisecond)
	before := pods()
	answered := func(deployment, pod string, n float64) sample {
		return sample{map[string]string{"namespace": "digits", "deployment": deployment, "pod": pod}, n}
	}
	letters := []sample{answered("letters", before["letters"][0], 0), answered("letters", before["letters"][1], 5)}
	k.series.set("entrance_answered_total", append(letters, answered("digits", before["digits"][0], 0), answered("digits", before["digits"][1], 5))...)

	asked := func(state string) map[string]string {
		code, body := k.get("/v1/approvals?since=1h")
		require.Equal(t, 200, code, body)
		var all []struct {
			ID, State string
			Target    struct{ Name string }
		}
		require.NoError(t, json.Unmarshal([]byte(body), &all))
		out := map[string]string{}
		for _, a := range all {
			if a.State == state {
				out[a.Target.Name] = a.ID
			}
		}
		return out
	}
	require.Eventually(t, func() bool { return len(asked("waiting")) == 2 && len(chat.keys()) == 2 }, 30*time.Second, 50*time.Millisecond, "both are asked about, and told")
	require.Contains(t, chat.told(), "dev.scanflow.approval.requested")
	require.Contains(t, chat.told(), before["digits"][0])
	require.Contains(t, chat.told(), before["letters"][0])
	require.Empty(t, k.admitted(), "nothing is restarted unasked")

	questions := asked("waiting")
	yes := func(deployment string) {
		out, code := scanflow(t, "approve", questions[deployment], "--server", k.url, "--data", k.data())
		require.Zero(t, code, out)
	}
	yes("digits")
	require.Eventually(t, func() bool {
		return asked("used")["digits"] != "" && ready() && pods()["digits"][0]+pods()["digits"][1] != before["digits"][0]+before["digits"][1]
	}, 60*time.Second, 50*time.Millisecond)
	after := pods()
	require.NotContains(t, after["digits"], before["digits"][0])
	require.Contains(t, after["digits"], before["digits"][1])

	yes("letters")
	var said string
	require.Eventually(t, func() bool {
		said, _ = scanflow(t, "approvals", "--server", k.url)
		return strings.Contains(said, k.shown("guards.fleet"))
	}, 30*time.Second, 50*time.Millisecond, "the page shows what holds it: %s", said)
	require.Equal(t, before["letters"], pods()["letters"])

	restarted := after["digits"][0]
	if restarted == before["digits"][1] {
		restarted = after["digits"][1]
	}
	// Of the pod that is gone a Prometheus has a rate for a while.
	k.series.set("entrance_answered_total", append(letters, answered("digits", before["digits"][0], 0), answered("digits", restarted, 5), answered("digits", before["digits"][1], 0))...)
	require.Eventually(t, func() bool {
		out, _ := scanflow(t, "decisions", "--data", k.data(), "--verdict", "refused", "--json")
		return strings.Contains(out, `"by":"guards.budget"`)
	}, 30*time.Second, 50*time.Millisecond, "another pod of the first")
	require.Equal(t, 1, strings.Count(k.admitted(), `"primitive":"restart"`), k.admitted())
}

// told are the bodies of the calls so far.
func (a *application) told() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.body, "\n")
}
