package kubernetes

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

func TestMain(m *testing.M) {
	code := testcluster.Run(m)
	if code == 0 && ranAll() {
		if err := checkTable(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

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
func testView(t testing.TB, o clusterview.Options) *clusterview.View {
	t.Helper()
	v := clusterview.New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, v.Close(ctx))
	})
	return v
}

func targetsOf(t testing.TB, f engine.Fleet) []engine.Target {
	t.Helper()
	targets, err := f.Targets(testContext(t))
	require.NoError(t, err)
	return targets
}

func soon(t testing.TB, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, patience, 20*time.Millisecond, what)
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

// lone is a pod of an app without a controller.
func lone(ns, name, app string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s, labels: {app: %s}}\nspec: {containers: [{name: c, image: none}]}\n", name, ns, app)
}
