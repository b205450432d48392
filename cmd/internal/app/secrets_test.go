package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/cmd/internal/rbac"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const secretsPolicy = `package scanflow.strategies.t.call

propose contains p if {
	input.signals.load.value > 10
	p := {"primitive": "webhook", "with": {"url": input.params.url}, "reason": "too_high", "because": ["load"]}
}
`

const secretsAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: caller, namespace: NAMESPACE}
spec:
  targets: {static: [{name: api}]}
  triggers: [{name: tick, every: 100ms}]
  sensors: [{name: load, http: {url: "URL/load", pointer: /load, bearerToken: {secretKeyRef: {name: app, key: token}}}}]
  strategies: [t.call]
  primitives: [webhook]
  params: {url: "URL/call"}
  credentials: [{url: "URL", basicAuth: {username: bot, password: {secretKeyRef: {name: hook, key: password}}}}]
`

// guarded shows a load to one token, and takes calls with one password.
type guarded struct {
	*httptest.Server
	mu              sync.Mutex
	token, password string
	calls, refused  int
}

func newGuarded(t *testing.T) *guarded {
	g := &guarded{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		_, password, _ := r.BasicAuth()
		switch {
		case r.Method == http.MethodGet && g.token != "" && r.Header.Get("Authorization") == "Bearer "+g.token:
			_, _ = fmt.Fprint(w, `{"load": 50}`)
		case r.Method == http.MethodPost && g.password != "" && password == g.password:
			g.calls++
		default:
			g.refused++
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *guarded) wants(token, password string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token, g.password, g.calls, g.refused = token, password, 0, 0
}

func (g *guarded) counts() (calls, refused int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls, g.refused
}

// aheadClock is the machine's, and can be put forward.
type aheadClock struct {
	engine.WallClock
	mu    sync.Mutex
	ahead time.Duration
}

func (c *aheadClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *aheadClock) forward(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.ahead += d }

// heard records the log, and the problems and failed acts that were observed last.
type heard struct {
	mu       sync.Mutex
	log      bytes.Buffer
	problems string
	failed   string
}

func (h *heard) Write(p []byte) (int, error) { h.mu.Lock(); defer h.mu.Unlock(); return h.log.Write(p) }

func (h *heard) Fired(f engine.FiringRecord) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.problems = strings.Join(f.Problems, "\n")
}

func (h *heard) Acted(a engine.Act) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed = ""; a.Outcome.Status == engine.Failed {
		h.failed = a.Outcome.Detail
	}
}

func (h *heard) last() (problems, failed, log string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problems, h.failed, h.log.String()
}

// A sensor and a webhook use Secrets of the agent's namespace, with an account that has
// exactly the rights of `scanflow rbac`. The Secrets are missing, incomplete, complete,
// rotated, and not readable. Their content is written nowhere.
func TestSecretsOfTheAgentsNamespace(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	server := newGuarded(t)
	filled := strings.NewReplacer("NAMESPACE", ns, "URL", server.URL).Replace(secretsAgent)
	agents, err := manifest.ReadBytes("agent.yaml", []byte(filled), agentspec.Kinds())
	require.NoError(t, err)
	plan, err := rbac.NewPlan(agents, rbac.Options{Namespace: ns, Account: "scanflow"})
	require.NoError(t, err)
	config := c.KubeconfigFor(t, ns, "scanflow")
	c.Apply(t, string(plan.YAML()))
	c.Apply(t, filled)
	secret := func(name, data string) {
		c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: %s, namespace: %s, annotations: {scanflow.dev/hosts: %q}}, stringData: {%s}}", name, ns, server.URL, data))
	}
	policies, data := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(policies, "call.rego"), []byte(secretsPolicy), 0o644))

	client, err := apiclient.New(apiclient.Options{Kubeconfig: config})
	require.NoError(t, err)
	client.Namespace = ns
	clock, said := &aheadClock{}, &heard{}
	system, err := start(t, Options{
		Policies: policysource.Source{Paths: []string{policies}}, Data: data, Clock: clock,
		Log:        hclog.New(&hclog.LoggerOptions{Output: said, Level: hclog.Trace}),
		Kubernetes: &KubernetesOptions{Replica: leadership.Replica{Client: client, Identity: "one"}, Namespace: ns},
	}, said)
	require.NoError(t, err)
	closed := false
	t.Cleanup(func() {
		if !closed {
			_ = system.Stop(context.Background())
		}
		if t.Failed() {
			_, _, log := said.last()
			t.Log(log)
		}
	})
	problem := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { p, _, _ := said.last(); return strings.Contains(p, text) }, 20*time.Second, 20*time.Millisecond, text)
	}
	failed := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { _, f, _ := said.last(); return strings.Contains(f, text) }, 20*time.Second, 20*time.Millisecond, text)
	}
	called := func() {
		t.Helper()
		require.Eventually(t, func() bool { calls, _ := server.counts(); return calls > 1 }, 20*time.Second, 20*time.Millisecond)
	}
	untouched := func() {
		t.Helper()
		calls, refused := server.counts()
		require.Zero(t, calls)
		require.Zero(t, refused, "nothing was sent without its credentials")
	}

	server.wants("token-one", "password-one")
	problem(fmt.Sprintf(`key "token" of Secret %s/app: there is no such Secret; create it in the agent's namespace`, ns))
	secret("app", "tokn: token-one")
	problem(fmt.Sprintf(`the Secret %s/app has no key "token"; add it, or name another`, ns))
	untouched()
	secret("app", "token: token-one")
	clock.forward(30 * time.Second)
	failed(fmt.Sprintf(`key "password" of Secret %s/hook: there is no such Secret`, ns))
	untouched()
	secret("hook", "password: password-one")
	called()

	server.wants("token-two", "password-two")
	secret("app", "token: token-two")
	secret("hook", "password: password-two")
	clock.forward(30 * time.Second)
	called()

	secret("other", "token: token-two")
	c.Apply(t, strings.Replace(filled, "name: app", "name: other", 1))
	problem(fmt.Sprintf(`key "token" of Secret %s/other: this process may not read it; print its roles anew with scanflow rbac`, ns))

	closed = true
	require.NoError(t, system.Stop(context.Background()))
	_, _, written := said.last()
	for _, resource := range []string{"agents", "ledgers"} {
		list, err := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: resource}).Namespace(ns).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		raw, err := list.MarshalJSON()
		require.NoError(t, err)
		written += string(raw)
	}
	files := 0
	require.NoError(t, filepath.WalkDir(data, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		written += string(raw)
		files++
		return err
	}))
	require.NotZero(t, files)
	require.Contains(t, written, "too_high")
	for _, value := range []string{"token-one", "token-two", "password-one", "password-two"} {
		require.NotContains(t, written, value)
		require.NotContains(t, written, base64.StdEncoding.EncodeToString([]byte(value)))
		require.NotContains(t, written, base64.StdEncoding.EncodeToString([]byte("bot:"+value)))
	}
}
