package clusterview

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

// patience bounds what a test waits for.
const patience = 30 * time.Second

var (
	podsResource        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	deploymentsResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// testView is a View that ends with the test.
func testView(t testing.TB, o Options) *View {
	t.Helper()
	v := New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, v.Close(ctx))
	})
	return v
}

func sharedView(t testing.TB) (*testcluster.Cluster, *View) {
	t.Helper()
	c := testcluster.Shared(t)
	return c, testView(t, Options{Client: c.Client()})
}

func testFleet(t testing.TB, v *View, s engine.Selector) engine.Fleet {
	t.Helper()
	f, err := v.Fleet(s)
	require.NoError(t, err)
	return f
}

func targetsOf(t testing.TB, f engine.Fleet) []engine.Target {
	t.Helper()
	targets, err := f.Targets(testContext(t))
	require.NoError(t, err)
	return targets
}

func targetNames(targets []engine.Target) (out []string) {
	for _, t := range targets {
		out = append(out, t.Name)
	}
	return out
}

func soon(t testing.TB, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, patience, 20*time.Millisecond, what)
}

func deploymentsIn(namespace string, matchLabels map[string]string) engine.Selector {
	return engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, MatchLabels: matchLabels}
}

// web is a Deployment, one line of labels in flow style.
func web(namespace, name string, replicas int, labels string) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[2]s, namespace: %[1]s, labels: {%[4]s}, annotations: {scanflow.dev/note: kept, example.com/other: dropped}}
spec:
  replicas: %[3]d
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}, annotations: {scanflow.dev/model: "digits/3"}}
    spec:
      containers:
      - {name: main, image: "example.com/digits:1", ports: [{name: http, containerPort: 8080}, {containerPort: 9090}]}
      - {name: log, image: "example.com/log:2"}
`, namespace, name, replicas, labels)
}

// breakableProxy is a TCP proxy in front of the API server whose connections can be cut.
type breakableProxy struct {
	listener net.Listener
	server   string
	work     sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// proxied is a client whose connection can be cut.
func proxied(t testing.TB, c *testcluster.Cluster) (*apiclient.Client, *breakableProxy) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &breakableProxy{listener: listener, server: strings.TrimPrefix(c.URL(), "https://"), conns: map[net.Conn]bool{}}
	p.work.Go(p.serve)
	t.Cleanup(func() {
		p.set(true)
		require.NoError(t, listener.Close())
		p.work.Wait()
	})
	config := rest.CopyConfig(c.Client().Config)
	config.Host = "https://" + listener.Addr().String()
	client, err := apiclient.FromConfig(config, "default", apiclient.Options{})
	require.NoError(t, err)
	return client, p
}

func (p *breakableProxy) serve() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil || !p.hold(conn, server) {
			_ = conn.Close()
			continue
		}
		p.work.Go(func() { _, _ = io.Copy(server, conn); _ = server.Close() })
		p.work.Go(func() { _, _ = io.Copy(conn, server); _ = conn.Close() })
	}
}

func (p *breakableProxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.cut {
			_ = c.Close()
		}
		p.conns[c] = true
	}
	return !p.cut
}

// set cuts every connection, or lets new ones through again.
func (p *breakableProxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for c := range p.conns {
		if cut {
			_ = c.Close()
			delete(p.conns, c)
		}
	}
}
