package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// decided keeps the firings.
type decided struct {
	mu   sync.Mutex
	last []engine.Decision
	acts []engine.Act
}

func (d *decided) Fired(f engine.FiringRecord) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = append(d.last, f.Decisions...)
}

func (d *decided) Acted(a engine.Act) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.acts = append(d.acts, a)
}

func (d *decided) any(verdict engine.Verdict, by string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.last {
		if one.Verdict == verdict && one.By == by {
			return true
		}
	}
	return false
}

func (d *decided) ended() []engine.Act {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.acts)
}

// inCluster starts an App on one namespace of a cluster, with one strategy.
func inCluster(t *testing.T, c *testcluster.Cluster, ns, data, rego string, clock engine.Clock, elect bool) (*App, *decided) {
	t.Helper()
	policies := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(policies, "policy.rego"), []byte(rego), 0o644))
	client, err := apiclient.FromConfig(c.Client().Config, ns, apiclient.Options{})
	require.NoError(t, err)
	saw := &decided{}
	s, err := start(t, Options{
		Policies: policysource.Source{Paths: []string{policies}}, Data: data, Clock: clock, Log: hclog.NewNullLogger(),
		Kubernetes: &KubernetesOptions{Replica: leadership.Replica{Client: client, Identity: "one", Elect: elect}, Namespace: ns},
	}, saw)
	require.NoError(t, err)
	return s, saw
}

const grow = `package scanflow.strategies.t.grow

propose contains {"primitive": "scale", "with": {"replicas": 3}, "reason": "more", "because": []} if input.target.replicas.desired < 3
`

const growing = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: grower, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: web}}}
  triggers: [{name: tick, every: 200ms}]
  strategies: [t.grow]
  primitives: [scale]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "example.com/web:1"}]}
`

// goneWithin bounds the time that a process takes to end.
const goneWithin = 15 * time.Second

// A stop ends in time though an act hangs and no API server takes the lease back.
func TestGoneInTimeWithoutAnAPIServer(t *testing.T) {
	c := testcluster.New(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	c.Apply(t, strings.ReplaceAll(growing, "NAMESPACE", ns))
	s, saw := inCluster(t, c, ns, t.TempDir(), grow, nil, true)
	require.Eventually(t, func() bool { return saw.any(engine.Admitted, "") }, 30*time.Second, 10*time.Millisecond)
	c.StopAPIServer(t)
	begin := time.Now()
	_ = s.Stop(context.Background()) // the error lists what could not be written
	require.Less(t, time.Since(begin), goneWithin-time.Second, "the web server is closed after it")
}

const call = `package scanflow.strategies.t.call

propose contains {"primitive": "webhook", "with": {"url": input.params.url}, "reason": "always", "because": []} if true
`

const calling = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: caller, namespace: NAMESPACE}
spec:
  targets: {static: [{name: api}]}
  triggers: [{name: tick, every: 100ms}]
  strategies: [t.call]
  primitives: [webhook]
  params: {url: "URL"}
  guards: {budget: {actions: 2, per: 72h}}
`

// A guard with a budget of three days still counts the acts of an earlier leader after
// thirty hours.
func TestTheLedgerRemembersAsFarBackAsTheGuardsLook(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	var calls atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(api.Close)
	c.Apply(t, strings.NewReplacer("NAMESPACE", ns, "URL", api.URL).Replace(calling))
	clock := &aheadClock{}
	live := func() {
		t.Helper()
		s, saw := inCluster(t, c, ns, t.TempDir(), call, clock, false)
		spent := func() bool { return saw.any(engine.Refused, "guards.budget") }
		require.Eventually(t, spent, 30*time.Second, 10*time.Millisecond)
		require.NoError(t, s.Stop(context.Background()))
		require.EqualValues(t, 2, calls.Load())
	}
	live()
	clock.forward(30 * time.Hour)
	live()
}

// Once another process writes the ledger, this one writes nothing, whether it holds a
// lease, or needs none: the other one recovers the running acts.
func TestWhoLostTheLedgerWritesNoMore(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(api.Close)
	unbounded, _, _ := strings.Cut(calling, "  guards:")
	c.Apply(t, strings.NewReplacer("NAMESPACE", ns, "URL", api.URL).Replace(unbounded))
	client, err := apiclient.FromConfig(c.Client().Config, ns, apiclient.Options{})
	require.NoError(t, err)
	s, saw := inCluster(t, c, ns, t.TempDir(), call, nil, false)
	require.Eventually(t, func() bool { return saw.any(engine.Admitted, "") }, 30*time.Second, 10*time.Millisecond)
	log := s.lead.Ledger()
	require.NoError(t, leadership.LedgerFence(log))

	history, err := journal.Open(t.Context(), t.TempDir(), journal.Options{})
	require.NoError(t, err)
	other, err := ledger.Open(t.Context(), ledger.Options{Client: client, Namespace: ns, Name: "scanflow", Writer: "other", History: history})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return leadership.LedgerFence(log) != nil }, 30*time.Second, time.Millisecond)
	require.ErrorIs(t, leadership.LedgerFence(log), leadership.ErrLedgerLost)
	require.Eventually(t, func() bool { now := s.lead.Ledger(); return now != nil && now != log }, 30*time.Second, 10*time.Millisecond, "nobody holds a lease: it takes the ledger back")
	require.ErrorIs(t, leadership.LedgerFence(log), leadership.ErrLedgerLost, "an old fence never opens again")
	require.NoError(t, s.Stop(context.Background()))
	require.NoError(t, other.Close(t.Context()))
	require.NoError(t, history.Close())
}

// Only the leader writes statuses: a replica drops what it has left to write once another
// one leads.
func TestAStatusIsTheLeadersToWrite(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	c.Apply(t, strings.NewReplacer("NAMESPACE", ns, "URL", "http://127.0.0.1:1").Replace(calling))
	c.Apply(t, fmt.Sprintf("{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: scanflow, namespace: %s}, spec: {holderIdentity: other, leaseDurationSeconds: 3600}}", ns))
	s, _ := inCluster(t, c, ns, t.TempDir(), call, nil, true)
	require.NoError(t, s.cluster.source.Synced(t.Context()))
	s.cluster.source.Report(types.NamespacedName{Namespace: ns, Name: "caller"}, agentcr.Status{ObservedGeneration: 1, Targets: 7})
	require.NoError(t, s.Stop(context.Background()), "nothing is left for this replica to write")
	agents := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "agents"}).Namespace(ns)
	found, err := agents.Get(t.Context(), "caller", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotContains(t, found.Object["status"], "observedGeneration")
}

// The fence closes between an act's intent and its write. The deposed leader records no
// outcome: the act has not failed, and the next leader recovers it.
func TestAnActOfADeposedLeaderIsLeftToTheNext(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	c.Apply(t, strings.ReplaceAll(growing, "NAMESPACE", ns))
	c.Apply(t, fmt.Sprintf("{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: scanflow, namespace: %s}, spec: {holderIdentity: other, leaseDurationSeconds: 3600}}", ns))
	s, saw := inCluster(t, c, ns, t.TempDir(), grow, nil, true) // it stands by, and the terms are those of the test
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	<-s.cluster.acceptance.Judged()
	intended := make(chan struct{})
	closing := sync.OnceFunc(func() { close(intended) })
	term := func(fence func() error) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.cluster.leader.Lead(ctx, fence) }()
		return func() { cancel(); require.NoError(t, <-ended) }
	}
	stop := term(func() error {
		log := s.lead.Ledger()
		if log == nil {
			return nil
		}
		open, err := log.Open(t.Context(), ns+"/grower")
		if len(open) > 0 {
			closing()
			return errors.Join(err, lease.ErrLost)
		}
		return err
	})
	<-intended
	require.Eventually(t, func() bool { return saw.any(engine.Admitted, "") }, 30*time.Second, 10*time.Millisecond)
	stop()
	require.Empty(t, saw.ended())

	stop = term(func() error { return nil })
	require.Eventually(t, func() bool { return len(saw.ended()) > 0 }, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, engine.Abandoned, saw.ended()[0].Outcome.Status, saw.ended()[0].Outcome.Detail)
	deployments := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace(ns)
	require.Eventually(t, func() bool {
		o, err := deployments.Get(t.Context(), "web", metav1.GetOptions{})
		require.NoError(t, err)
		n, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		return n == 3
	}, 30*time.Second, 10*time.Millisecond)
	stop()
}

// An act that is held up when a term ends may be concluded by another leader, so the next term
// of this process does not count it.
func TestAnActThatAnotherLeaderConcludesIsHeldNoMore(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	c.Apply(t, strings.NewReplacer("NAMESPACE", ns, "replicas: 1", "replicas: 3").Replace(growing))
	c.Apply(t, fmt.Sprintf("{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: scanflow, namespace: %s}, spec: {holderIdentity: other, leaseDurationSeconds: 3600}}", ns))
	s, _ := inCluster(t, c, ns, t.TempDir(), grow, nil, true) // it stands by, and the terms are those of the test
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	<-s.cluster.acceptance.Judged()
	const obstacle = "exceeded quota"
	for _, conclude := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.cluster.leader.Lead(ctx, func() error { return nil }) }()
		require.Eventually(t, s.Leading, 30*time.Second, 10*time.Millisecond)
		if !conclude {
			s.cluster.status.Stalled(engine.Act{Intent: engine.Intent{Change: engine.Change{Proposal: engine.Proposal{
				Identity: "one", Agent: ns + "/grower", Target: engine.Target{Namespace: ns, Name: "api"}, Primitive: "scale",
			}}}, Outcome: engine.Outcome{Status: engine.Running, Obstacle: obstacle}})
		}
		soon(t, "the act is held in the first term alone", func() bool {
			shown, _ := agentStatus(t, c, ns, "grower")
			return is(shown, manifest.Ready) == "True Running" && (shown.Held != nil && shown.Held.Why == obstacle) == !conclude
		})
		cancel()
		require.NoError(t, <-ended)
	}
}
