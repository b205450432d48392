package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// followPolicy scales a target to the number that an application says.
const followPolicy = `package scanflow.strategies.t.follow

propose contains p if {
	input.signals.want.value != input.target.replicas.desired
	p := {"primitive": "scale", "with": {"replicas": input.signals.want.value}, "reason": "wanted", "because": ["want"]}
}
`

// followAgent asks the application at URL four times a second.
const followAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: follower, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: tick, every: 250ms}]
  sensors: [{name: want, http: {url: "URL/load", pointer: /load}}]
  strategies: [t.follow]
  primitives: [scale]
`

const webDeployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE, labels: {scaled: "yes"}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: none}]}}
`

var (
	deploymentsResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	agentsResource      = schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "agents"}
	eventsResource      = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

// stage is a namespace of a cluster with an application that says what is wanted,
// and policies in a folder.
type stage struct {
	t         *testing.T
	cluster   *testcluster.Cluster
	namespace string
	app       *application
	policies  string
	config    string // kubeconfig of the daemons
}

// newStage installs the definitions, and creates a service account with exactly the roles
// that `scanflow rbac` prints for the agents with these further arguments.
func newStage(t *testing.T, c *testcluster.Cluster, agents string, args ...string) *stage {
	t.Helper()
	c.InstallCRDs(t, "agents", "ledgers")
	c.KwokNodes(t, 1)
	s := &stage{t: t, cluster: c, namespace: c.Namespace(t), app: newApp(t), policies: t.TempDir()}
	s.policy("follow", followPolicy)
	file := filepath.Join(t.TempDir(), "agents.yaml")
	require.NoError(t, os.WriteFile(file, []byte(s.filled(agents)), 0o644))
	out, code := scanflow(t, append([]string{"rbac", "-f", file, "--namespace", s.namespace, "--service-account", "scanflow"}, args...)...)
	require.Equal(t, 0, code, out)
	s.config = c.KubeconfigFor(t, s.namespace, "scanflow")
	c.Apply(t, out)
	return s
}

func (s *stage) filled(text string) string {
	return strings.NewReplacer("NAMESPACE", s.namespace, "URL", s.app.URL).Replace(text)
}

func (s *stage) policy(name, text string) {
	require.NoError(s.t, os.WriteFile(filepath.Join(s.policies, name+".rego"), []byte(text), 0o644))
}

func (s *stage) apply(text string) { s.t.Helper(); s.cluster.Apply(s.t, s.filled(text)) }

// wants has the application ask for so many replicas.
func (s *stage) wants(n int) { s.app.set(fmt.Sprintf(`{"load": %d}`, n)) }

// daemon starts a replica with a data folder of its own, as a pod has.
func (s *stage) daemon(args ...string) *daemon {
	s.t.Helper()
	return startDaemon(s.t, append([]string{"--kubernetes", "--kubeconfig", s.config, "--namespace", s.namespace, "--policies", s.policies, "--data", s.t.TempDir(), "--lease-duration", "3s"}, args...)...)
}

func (s *stage) get(resource schema.GroupVersionResource, name string) *unstructured.Unstructured {
	s.t.Helper()
	o, err := s.cluster.Client().Dynamic.Resource(resource).Namespace(s.namespace).Get(s.t.Context(), name, metav1.GetOptions{})
	require.NoError(s.t, err)
	return o
}

// replicas returns the Deployment's desired replicas.
func (s *stage) replicas(name string) int64 {
	s.t.Helper()
	n, _, _ := unstructured.NestedInt64(s.get(deploymentsResource, name).Object, "spec", "replicas")
	return n
}

// until waits for a condition in the cluster.
func (s *stage) until(what string, check func() bool) {
	s.t.Helper()
	require.Eventually(s.t, check, 30*time.Second, 50*time.Millisecond, what)
}

func (s *stage) scaledTo(name string, n int64) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s has %d replicas", name, n), func() bool { return s.replicas(name) == n })
}

// condition is one of an agent's, as "True Valid: message".
func (s *stage) condition(agent, kind string) string {
	all, _, _ := unstructured.NestedSlice(s.get(agentsResource, agent).Object, "status", "conditions")
	for _, raw := range all {
		if c, ok := raw.(map[string]any); ok && c["type"] == kind {
			return fmt.Sprintf("%s %s: %s", c["status"], c["reason"], c["message"])
		}
	}
	return ""
}

// events are those about an object, and those of agents about acts on it, as "Normal Scale:
// message".
func (s *stage) events(name string) string {
	list, err := s.cluster.Client().Dynamic.Resource(eventsResource).Namespace(s.namespace).List(s.t.Context(), metav1.ListOptions{FieldSelector: "source=scanflow"})
	require.NoError(s.t, err)
	var out strings.Builder
	for _, e := range list.Items {
		about, _, _ := unstructured.NestedStringMap(e.Object, "involvedObject")
		message, _ := e.Object["message"].(string)
		if about["kind"] == "Agent" {
			_, act, ofTarget := strings.Cut(message, " "+s.namespace+"/"+name+": ")
			if !ofTarget {
				continue
			}
			message = act
		} else if about["name"] != name {
			continue
		}
		_, _ = fmt.Fprintf(&out, "%s %s: %s\n", e.Object["type"], e.Object["reason"], message)
	}
	return out.String()
}

func (s *stage) patch(resource schema.GroupVersionResource, name string, patch map[string]any, subresources ...string) {
	s.t.Helper()
	raw, err := json.Marshal(patch)
	require.NoError(s.t, err)
	_, err = s.cluster.Client().Dynamic.Resource(resource).Namespace(s.namespace).Patch(context.Background(), name, types.MergePatchType, raw, metav1.PatchOptions{FieldManager: "kubectl"}, subresources...)
	require.NoError(s.t, err)
}

// An agent lives as a custom resource: created, changed, made wrong, paused and
// deleted, with the daemon running on, under a service account that may do no more
// than `scanflow rbac` says.
func TestKubernetesAgentsAreCustomResources(t *testing.T) {
	t.Parallel()
	s := newStage(t, testcluster.Shared(t), followAgent)
	s.wants(3)
	s.apply(webDeployment)
	d := s.daemon()
	s.apply(followAgent)

	s.scaledTo("web", 3)
	s.until("the act is an event of the target", func() bool {
		return strings.Contains(s.events("web"), "Normal ScaleTakenOver: replicas 1 -> 3, taken over from test (Apply")
	})
	s.until("the status says so", func() bool {
		status, _, _ := unstructured.NestedMap(s.get(agentsResource, "follower").Object, "status")
		last, _ := status["lastDecision"].(map[string]any)
		return status["targets"] == int64(1) && last["verdict"] == "admitted" && last["target"] == s.namespace+"/web" && status["policyRevision"] != ""
	})
	require.Equal(t, "True Valid: the spec is right, and fits the policies", s.condition("follower", "Accepted"))

	// Wrong in a way that no schema can tell: the last good one runs on, and the
	// condition says what is wrong, and where.
	s.apply(strings.Replace(followAgent, "t.follow", "t.folow", 1))
	s.until("the mistake is told", func() bool {
		return strings.HasPrefix(s.condition("follower", "Accepted"), `False UnfitForPolicies: `)
	})
	require.Contains(t, s.condition("follower", "Accepted"), `spec.strategies[0]: no strategy "t.folow" in the policies`)
	require.Equal(t, "True LastGood: as the last spec said that was right", s.condition("follower", "Running"))
	s.wants(2)
	s.scaledTo("web", 2)

	// A process that starts meanwhile runs the last good one too.
	d.stop()
	d = s.daemon()
	s.wants(1)
	s.scaledTo("web", 1)
	require.Equal(t, "True LastGood: as the last spec said that was right", s.condition("follower", "Running"))
	s.wants(2)
	s.scaledTo("web", 2)

	// The strategy comes after the agent that names it.
	s.policy("folow", strings.Replace(followPolicy, "t.follow", "t.folow", 1))
	s.until("the agent is accepted with the new policies", func() bool {
		return strings.HasPrefix(s.condition("follower", "Accepted"), "True Valid")
	})
	s.wants(4)
	s.scaledTo("web", 4)

	// Paused: it senses, and does nothing.
	s.apply(strings.NewReplacer("spec:\n", "spec:\n  mode: paused\n").Replace(followAgent))
	s.until("the agent is paused", func() bool {
		_, body := d.get("/v1/agents")
		return strings.Contains(body, `"mode":"paused"`) || strings.Contains(body, `"mode": "paused"`)
	})
	s.wants(5)
	d.said("the agent is paused")
	require.EqualValues(t, 4, s.replicas("web"))
	s.apply(followAgent)
	s.scaledTo("web", 5)

	// Another client writes the field: from then on it owns it, and an event says so.
	s.patch(deploymentsResource, "web", map[string]any{"spec": map[string]any{"replicas": 7}}, "scale")
	s.until("the refusal is an event of the target", func() bool {
		return strings.Contains(s.events("web"), "Warning ScaleRefused: scale can't be planned: replicas belongs to kubectl (Update, scale")
	})
	require.EqualValues(t, 7, s.replicas("web"))
	s.patch(deploymentsResource, "web", map[string]any{"metadata": map[string]any{"annotations": map[string]any{"scanflow.dev/take-over": time.Now().UTC().Format(time.RFC3339Nano)}}})
	s.scaledTo("web", 5)

	require.NoError(t, s.cluster.Client().Dynamic.Resource(agentsResource).Namespace(s.namespace).Delete(t.Context(), "follower", metav1.DeleteOptions{}))
	s.until("the agent is gone", func() bool {
		_, body := d.get("/v1/agents")
		return !strings.Contains(body, "follower")
	})
	d.stop()
}
