package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// unstickAgent restarts at most one pod an hour over the whole fleet: one target by the fleet's
// bound, and one act on it by the budget.
const unstickAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: unstick, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, pods: true, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: tick, every: 250ms}]
  sensors: [{name: answered, http: {url: "GATEWAY/{name}", pointer: /answered, type: object}}]
  strategies: [serving.unstick]
  primitives: [restart]
  params: {grace_ns: 1e9}
  guards:
    fleet: {targets: 1, per: 1h}
    budget: {actions: 1, per: 1h}
`

// gatewayCounts serves what a gateway counts of the pods of each Deployment: 5 answers a second
// of a ready pod, and none of one that hangs.
type gatewayCounts struct {
	s    *stage
	mu   sync.Mutex
	hung map[string]bool
}

func (g *gatewayCounts) hang(pod string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hung[pod] = true
}

func (g *gatewayCounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	answered := map[string]float64{}
	for _, pod := range g.s.pods(path.Base(r.URL.Path)) {
		if answered[pod] = 5; g.hung[pod] {
			answered[pod] = 0
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"answered": answered})
}

// pods lists the pods of an app that are not being deleted.
func (s *stage) pods(app string) (names []string) {
	list, err := s.cluster.Client().Dynamic.Resource(podsResource).Namespace(s.namespace).List(s.t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return nil
	}
	for i := range list.Items {
		if list.Items[i].GetDeletionTimestamp() == nil {
			names = append(names, list.Items[i].GetName())
		}
	}
	slices.Sort(names)
	return names
}

// Of two services with a pod that hangs, one has this pod restarted, and no other; the other
// service waits for the hour to pass. The rights are those that rbac prints.
func TestKubernetesUnstickRestartsOnePodOfTheFleet(t *testing.T) {
	t.Parallel()
	counts := &gatewayCounts{hung: map[string]bool{}}
	gateway := httptest.NewServer(counts)
	t.Cleanup(gateway.Close)
	agent := strings.ReplaceAll(unstickAgent, "GATEWAY", gateway.URL)
	s := newStage(t, testcluster.Shared(t), agent)
	counts.s = s
	three := strings.Replace(webDeployment, "replicas: 1", "replicas: 3", 1)
	s.apply(strings.ReplaceAll(three, "web", "api"))
	s.apply(three)
	s.rolledOut("api")
	s.rolledOut("web")
	s.apply(agent)
	s.policies = filepath.Join("..", "..", "policies")
	d := s.daemon()
	d.until("it looks on", d.leads)
	d.fires(s.namespace+"/unstick", 8)
	require.Zero(t, d.acts("restart", false), "pods that answer are left alone")

	before := map[string][]string{"api": s.pods("api"), "web": s.pods("web")}
	stuck := before["api"][1]
	counts.hang(stuck)
	counts.hang(before["web"][0])
	d.until("the pod is replaced", func() bool { return d.acts("restart", false) == 1 })
	target, kept := "api", "web"
	if slices.Equal(before["api"], s.pods("api")) {
		target, kept, stuck = "web", "api", before["web"][0]
	}
	d.fires(s.namespace+"/unstick", 8)
	after := s.pods(target)
	require.Len(t, after, 3)
	require.NotContains(t, after, stuck)
	for _, pod := range before[target] {
		require.Equal(t, pod != stuck, slices.Contains(after, pod), "the others are left alone")
	}
	require.Equal(t, before[kept], s.pods(kept))
	_, decisions := d.get("/v1/decisions?target=" + s.namespace + "/" + kept)
	require.Contains(t, decisions, `"guards.fleet"`)

	// The next one of the same service has to wait as well.
	counts.hang(after[0])
	d.until("the budget refuses it", func() bool {
		_, decisions := d.get("/v1/decisions?target=" + s.namespace + "/" + target)
		return strings.Contains(decisions, `"guards.budget"`)
	})
	require.Equal(t, 1, d.acts("restart", false))
	require.Equal(t, after, s.pods(target))
	d.stop()
}
