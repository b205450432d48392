package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/cmd/internal/rbac"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

var agentResource = schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "agents"}

// callPolicy calls a webhook and sends an event at each firing.
const callPolicy = `package scanflow.strategies.t.always

propose contains {"primitive": "webhook", "with": {"url": input.params.url}, "reason": "called", "because": []}

propose contains {"primitive": "event.send", "with": {"type": "dev.scanflow.t", "url": input.params.url}, "reason": "told", "because": []}
`

// listener records the requests that it gets.
type listener struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // method, path and Authorization
	then http.HandlerFunc
}

func listen(t *testing.T) *listener {
	l := &listener{then: func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{}`) }}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.seen = append(l.seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		then := l.then
		l.mu.Unlock()
		then(w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.seen...)
}

// serve runs the agents of a namespace by an account with the rights that these agents
// need and no more, with the policy above.
func serve(t *testing.T, c *testcluster.Cluster, ns, agents string, allowed hosts.List) (*aheadClock, *heard) {
	t.Helper()
	read, err := manifest.ReadBytes("agents.yaml", []byte(agents), agentspec.Kinds())
	require.NoError(t, err)
	plan, err := rbac.NewPlan(read, rbac.Options{Namespace: ns, Account: "scanflow"})
	require.NoError(t, err)
	config := c.KubeconfigFor(t, ns, "scanflow")
	c.Apply(t, string(plan.YAML()))
	policies := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(policies, "always.rego"), []byte(callPolicy), 0o600))
	client, err := apiclient.New(apiclient.Options{Kubeconfig: config})
	require.NoError(t, err)
	client.Namespace = ns
	clock, said := &aheadClock{}, &heard{}
	system, err := start(t, Options{
		Policies: policysource.Source{Paths: []string{policies}}, Data: t.TempDir(), Clock: clock,
		Log:        hclog.New(&hclog.LoggerOptions{Output: said, Level: hclog.Trace}),
		Kubernetes: &KubernetesOptions{Replica: leadership.Replica{Client: client, Identity: "one"}, Namespace: ns, SecretHosts: allowed},
	}, said)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = system.Stop(context.Background())
		_, _, log := said.last()
		if t.Failed() {
			t.Log(log)
		}
		assert.NotContains(t, log, "hunter2")
	})
	return clock, said
}

// conditions waits until an agent's conditions say something, as "Type Status Reason Message".
func conditions(t *testing.T, c *testcluster.Cluster, ns, agent string, says ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(a *assert.CollectT) {
		all := conditionsOf(t, c, ns, agent)
		for _, text := range says {
			assert.Contains(a, all, text)
		}
	}, 30*time.Second, 50*time.Millisecond)
}

func conditionsOf(t *testing.T, c *testcluster.Cluster, ns, agent string) (all string) {
	t.Helper()
	u, err := c.Client().Dynamic.Resource(agentResource).Namespace(ns).Get(t.Context(), agent, metav1.GetOptions{})
	require.NoError(t, err)
	list, _, err := unstructured.NestedSlice(u.Object, "status", "conditions")
	require.NoError(t, err)
	for _, each := range list {
		one := each.(map[string]any)
		all += fmt.Sprintf("%v %v %v %v\n", one["type"], one["status"], one["reason"], one["message"])
	}
	return all
}

const thirsty = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: thirsty, namespace: NAMESPACE}
spec:
  targets: {static: [{name: api, labels: {host: "127.0.0.1"}}]}
  triggers: [{name: tick, every: 100ms}]
  sensors:
    - {name: a, timeout: 5s, http: {url: "THIEF/http", bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: b, http: {url: "http://{label:host}:THIEFPORT/each/{name}", basicAuth: {username: bot, password: {secretKeyRef: {name: app, key: token}}}}}
    - {name: c, scrape: {url: "THIEF/metrics", metric: up, bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: d, prometheus: {query: up, address: "THIEF/prom", bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: e, mlflow: {url: "THIEF/mlflow", model: {name: m, alias: champion}, bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: f, drift: {query: "sum by (name, le) (increase(x[1m]))", bins: le, match: {name: name}, reference: {query: "sum by (name, le) (increase(x[1m] offset 1d))"}, address: "THIEF/drift", bearerToken: {secretKeyRef: {name: app, key: token}}}}
  strategies: [t.always]
  primitives: [webhook, event.send]
  params: {url: "THIEF/call"}
  guards: {urls: ["THIEF/"]}
  credentials: [{url: "THIEF", bearerToken: {secretKeyRef: {name: app, key: token}}}]
`

// No sensor and no act sends a Secret to a host that neither the flag nor its annotation
// allows, and the agent's condition names the host. Once it is allowed, all of them send
// the Secret, without a restart.
func TestNoSecretGoesToAHostThatIsNotAllowed(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	thief := listen(t)
	agents := strings.NewReplacer("NAMESPACE", ns, "THIEFPORT", thief.URL[strings.LastIndex(thief.URL, ":")+1:], "THIEF", thief.URL).Replace(thirsty)
	secret := func(annotation string) {
		c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: app, namespace: %s, annotations: {scanflow.dev/hosts: %q}}, stringData: {token: hunter2}}", ns, annotation))
	}
	secret("https://127.0.0.1, http://other.example.com")
	c.Apply(t, agents)
	flag, err := hosts.Parse("http://flag.example.com")
	require.NoError(t, err)
	clock, said := serve(t, c, ns, agents, flag)

	refusal := fmt.Sprintf("the Secret %s/app may not be sent to %s; add that to the annotation scanflow.dev/hosts of the Secret, or to --secret-hosts of the process", ns, thief.URL)
	conditions(t, c, ns, "thirsty", "Accepted True", "Running True Problems",
		"spec.credentials[0].bearerToken: "+refusal, "sensor a: "+thief.URL+"/http: bearerToken: "+refusal)
	require.Eventually(t, func() bool {
		problems, failed, _ := said.last()
		return strings.Contains(failed, refusal) && strings.Count(problems, refusal) == 4
	}, time.Minute, 20*time.Millisecond)
	clock.forward(30 * time.Second) // the time between two looks at what is only known when it is used
	c.Apply(t, strings.Replace(agents, "timeout: 5s", "timeout: 4s", 1))
	conditions(t, c, ns, "thirsty", "spec.sensors[1].http.basicAuth.password: "+refusal, "spec.sensors[2].scrape.bearerToken: "+refusal)
	require.Empty(t, thief.asked(), "nothing is sent, with the Secret or without")

	secret(thief.URL)
	clock.forward(31 * time.Second)
	require.Eventually(t, func() bool {
		asked := strings.Join(thief.asked(), "\n")
		for _, way := range []string{
			"GET /http Bearer hunter2", "GET /each/api Basic ", "GET /metrics Bearer hunter2", "POST /prom/api/v1/query Bearer hunter2",
			"GET /mlflow/api/2.0/mlflow/registered-models/alias Bearer hunter2", "POST /drift/api/v1/query Bearer hunter2", "POST /call Bearer hunter2",
		} {
			if !strings.Contains(asked, way) {
				return false
			}
		}
		return true
	}, 30*time.Second, 20*time.Millisecond)
}

const moved = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: moved, namespace: NAMESPACE}
spec:
  targets: {static: [{name: api}]}
  triggers: [{name: tick, every: 100ms}]
  sensors:
    - {name: a, http: {url: "FRIEND/away", bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: b, prometheus: {query: up, address: "FRIEND/away", bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: c, mlflow: {url: "FRIEND/away", model: {name: m, alias: champion}, bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: d, http: {url: "FRIEND/home", bearerToken: {secretKeyRef: {name: app, key: token}}}}
  strategies: [t.always]
  primitives: [webhook, event.send]
  params: {url: "FRIEND/away"}
  guards: {urls: ["FRIEND/"]}
  credentials: [{url: "FRIEND", bearerToken: {secretKeyRef: {name: app, key: token}}}]
`

// A redirect to another host gets no Secret. One to the same host is followed, with the
// Secret.
func TestNoSecretFollowsARedirectToAnotherHost(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	friend, thief := listen(t), listen(t)
	friend.then = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/away"):
			http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusTemporaryRedirect)
		case r.URL.Path == "/home":
			http.Redirect(w, r, "/arrived", http.StatusFound)
		default:
			_, _ = fmt.Fprint(w, "5")
		}
	}
	agents := strings.NewReplacer("NAMESPACE", ns, "FRIEND", friend.URL).Replace(moved)
	c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: app, namespace: %s}, stringData: {token: hunter2}}", ns))
	c.Apply(t, agents)
	flag, err := hosts.Parse(friend.URL)
	require.NoError(t, err)
	_, said := serve(t, c, ns, agents, flag)
	require.Eventually(t, func() bool {
		problems, failed, _ := said.last()
		asked := strings.Join(friend.asked(), "\n")
		return strings.Contains(problems, "sensor a: ") && strings.Contains(problems, "sensor b: ") && strings.Contains(problems, "sensor c: ") &&
			!strings.Contains(problems, "sensor d: ") && failed != "" && strings.Contains(asked, "POST /away Bearer hunter2") && strings.Contains(asked, "GET /arrived Bearer hunter2")
	}, 20*time.Second, 20*time.Millisecond)
	require.Empty(t, thief.asked())
}

const greedy = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: greedy, namespace: NAMESPACE}
spec:
  targets: {static: [{name: api}]}
  triggers: [{name: tick, every: 100ms}]
  sensors:
    - {name: a, http: {url: "THIEF/a", bearerToken: {file: "TOKENFILE"}}}
    - {name: b, scrape: {url: "THIEF/b", metric: up, basicAuth: {username: bot, password: {env: SCANFLOW_TEST_HUNTER}}}}
    - {name: c, http: {url: "THIEF/c", tls: {certFile: "TOKENFILE", keyFile: "TOKENFILE"}}}
  strategies: [t.always]
  primitives: [webhook, event.send]
  params: {url: "THIEF/call"}
  guards: {urls: ["THIEF/"]}
  credentials: [{url: "THIEF", bearerToken: {file: "TOKENFILE"}}]
`

// An account that may create Agents, or write their status, can't make the process send
// its own files and environment: the condition names each field and what to write instead,
// and a last good spec with such fields does not run.
func TestAnAgentOfTheClusterUsesNoFileOfTheProcess(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	thief := listen(t)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("hunter2"), 0o600))
	t.Setenv("SCANFLOW_TEST_HUNTER", "hunter2")
	agents := strings.NewReplacer("NAMESPACE", ns, "TOKENFILE", token, "THIEF", thief.URL).Replace(greedy)
	c.Apply(t, agents)

	// As an earlier release left it, or an account that may write the status.
	u, err := c.Client().Dynamic.Resource(agentResource).Namespace(ns).Get(t.Context(), "greedy", metav1.GetOptions{})
	require.NoError(t, err)
	forged, err := json.Marshal(map[string]any{"status": map[string]any{"lastGood": u.Object["spec"]}})
	require.NoError(t, err)
	_, err = c.Client().Dynamic.Resource(agentResource).Namespace(ns).Patch(t.Context(), "greedy", types.MergePatchType, forged, metav1.PatchOptions{}, "status")
	require.NoError(t, err)

	serve(t, c, ns, agents, nil)
	const own, instead = ": is the process's own, which an Agent of a cluster may not use; ", "put the secret into a Secret of the agent's namespace, and write secretKeyRef: {name: NAME, key: KEY}"
	conditions(t, c, ns, "greedy", "Accepted False Invalid",
		"spec.sensors[0].http.bearerToken.file"+own+instead,
		"spec.sensors[1].scrape.basicAuth.password.env"+own+instead,
		"spec.sensors[2].http.tls.certFile"+own+"leave it out, and write bearerToken or basicAuth with a secretKeyRef",
		"spec.sensors[2].http.tls.keyFile"+own,
		"spec.credentials[0].bearerToken.file"+own+instead,
		"Running False NeverAccepted")
	require.Empty(t, thief.asked())
	require.NotContains(t, conditionsOf(t, c, ns, "greedy"), token)
}
