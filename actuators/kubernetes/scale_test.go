package kubernetes

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

const stateful = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 1
  serviceName: db
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: main, image: "example.com/db:1"}]}
`

const widget = `
apiVersion: widgets.example.com/v1
kind: Widget
metadata: {name: w}
spec: {workers: 1}
`

func to(replicas float64) map[string]any { return map[string]any{"replicas": replicas} }

func TestScaleOfEveryKindWithTheSubresource(t *testing.T) {
	b := newBench(t)
	b.widgets(t)
	for _, row := range []struct{ version, kind, name, text, field, how string }{
		{"apps/v1", "Deployment", "web", web(b.ns, "web", 1, ""), "replicas", "Apply"},
		{"apps/v1", "StatefulSet", "db", stateful, "replicas", "Apply"},
		{"widgets.example.com/v1", "Widget", "w", widget, "workers", "Update"},
	} {
		t.Run(row.kind, func(t *testing.T) {
			b.create(t, "kubectl-create", row.text)
			target := b.settled(t, row.version, row.kind, row.name)
			change := done(t, Scale(b.Cluster), proposal("scale", target, to(3)))
			require.Contains(t, change.Diff, "replicas 1 -> 3, taken over from kubectl-create (Update, 20")
			o := b.read(t, row.version, row.kind, row.name)
			n, _, _ := unstructured.NestedInt64(o.Object, "spec", row.field)
			require.Equal(t, int64(3), n)
			require.Contains(t, timeless(managersAt(&object{o, nil}, []any{"spec", row.field})), clusterview.FieldManager{Manager: "scanflow-scale", Operation: row.how, Subresource: "scale"})
			if row.kind == "Deployment" {
				require.Equal(t, "kept", o.GetAnnotations()["scanflow.dev/note"])
			}
			b.settled(t, row.version, row.kind, row.name)
			require.True(t, plannedOf(t, Scale(b.Cluster), again(proposal("scale", target, to(3)))).NoOp)
		})
	}
}

func timeless(writers []clusterview.FieldManager) []clusterview.FieldManager {
	for i := range writers {
		writers[i].Time = time.Time{}
	}
	return writers
}

func TestScaleIsVerifiedByTheReadyReplicas(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	s := scaler{b.Cluster}
	change := done(t, s, proposal("scale", target, to(2)))
	var at engine.Outcome
	soon(t, "the write is seen", func() bool {
		var err error
		at, err = verify(t, s, change)
		require.NoError(t, err)
		return at.Detail == "0 of 2 ready"
	})
	require.Equal(t, engine.Running, at.Status)
	for i, pod := range b.admin.WaitPods(t, b.ns, "app=web", 2) {
		b.admin.RunPod(t, pod, "scale-node", fmt.Sprintf("127.1.0.%d", i+1), 0)
	}
	soon(t, "both are ready", func() bool {
		out, err := verify(t, s, change)
		require.NoError(t, err)
		require.NotEqual(t, engine.Failed, out.Status, out.Detail)
		return out.Status == engine.Done
	})
	b.rescale(t, "kubectl", "web", 5)
	soon(t, "somebody else's write is seen", func() bool {
		out, err := verify(t, s, change)
		require.NoError(t, err)
		return out.Status == engine.Failed && out.Detail == "replicas were set to 5 by somebody else"
	})
	require.NoError(t, b.deployments(t).Delete(testContext(t), "web", metav1.DeleteOptions{}))
	soon(t, "it is gone", func() bool {
		out, err := verify(t, s, change)
		require.NoError(t, err)
		return out.Detail == "the object was deleted"
	})
}

// A status may move the version between plan and write. An informer that has seen
// that much, and not the write, must not take it for somebody else's.
func TestAWriteThatIsNotSeenYetIsNobodyElses(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	s := scaler{b.Cluster}
	change := plannedOf(t, s, proposal("scale", target, to(3)))

	b.merge(t, "kubectl", "apps/v1", "Deployment", "web", `{"metadata":{"annotations":{"moved":"on"}}}`)
	late := clusterview.New(clusterview.Options{Client: b.Client})
	fleet, err := late.Fleet(engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns})
	require.NoError(t, err)
	targetsOf(t, fleet)
	require.NoError(t, late.Close(testContext(t))) // it hears no more, and shows what it knows
	_, err = s.Apply(testContext(t), change)
	require.NoError(t, err)
	require.Equal(t, int64(3), b.replicasOf(t, "web"))

	out, err := verify(t, scaler{&Cluster{Client: b.Client, View: late, Clock: b.Clock}}, change)
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Running, Detail: "replicas set, and not seen yet"}, out)
}

// The author's value is taken over once. A later write by anyone else is respected.
func TestWhoOwnsTheReplicas(t *testing.T) {
	for _, author := range []struct {
		name  string
		make  func(t *testing.T, b *bench)
		whose string
	}{
		{"kubectl create", func(t *testing.T, b *bench) { b.create(t, "kubectl-create", web(b.ns, "web", 2, "")) }, "kubectl-create (Update, "},
		{"kubectl apply", func(t *testing.T, b *bench) { b.create(t, "kubectl-client-side-apply", web(b.ns, "web", 2, "")) }, "kubectl-client-side-apply (Update, "},
		{"server-side apply", func(t *testing.T, b *bench) {
			require.NoError(t, b.serverSide(t, "helm", false, web(b.ns, "web", 2, "")))
		}, "helm (Apply, "},
		{"kubectl scale", func(t *testing.T, b *bench) {
			b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
			b.rescale(t, "kubectl", "web", 2)
		}, "kubectl (Update, scale)"},
	} {
		t.Run(author.name, func(t *testing.T) {
			b := newBench(t)
			s := Scale(b.Cluster)
			author.make(t, b)
			target := b.settled(t, "apps/v1", "Deployment", "web")
			change := done(t, s, proposal("scale", target, to(3)))
			require.Contains(t, change.Diff, "replicas 2 -> 3, taken over from "+author.whose)

			target = b.settled(t, "apps/v1", "Deployment", "web")
			require.Equal(t, "replicas 3 -> 4", done(t, s, again(proposal("scale", target, to(4)))).Diff, "it is ours now")

			b.rescale(t, "kubectl", "web", 1)
			target = b.settled(t, "apps/v1", "Deployment", "web")
			_, err := s.Plan(testContext(t), again(proposal("scale", target, to(4))))
			var owned *OwnedError
			require.ErrorAs(t, err, &owned)
			require.Contains(t, err.Error(), "replicas belongs to kubectl (Update, scale), who wrote it after Scanflow did at 2026-01-02T03:04:05Z")
			require.Contains(t, err.Error(), "kubectl annotate deployment -n "+b.ns+" web scanflow.dev/take-over=$(date -u +%FT%TZ) --overwrite")
			require.False(t, engine.IsRetryable(err))

			before := after.Add(-time.Hour).UTC().Format(time.RFC3339)
			b.merge(t, "kubectl-annotate", "apps/v1", "Deployment", "web", `{"metadata": {"annotations": {"scanflow.dev/take-over": "`+before+`"}}}`)
			target = b.settled(t, "apps/v1", "Deployment", "web")
			_, err = s.Plan(testContext(t), again(proposal("scale", target, to(4))))
			require.ErrorAs(t, err, &owned, "it was handed over before that write")

			b.merge(t, "kubectl-annotate", "apps/v1", "Deployment", "web", `{"metadata": {"annotations": {"scanflow.dev/take-over": "`+time.Now().UTC().Format(time.RFC3339)+`"}}}`)
			target = b.settled(t, "apps/v1", "Deployment", "web")
			require.Contains(t, done(t, s, again(proposal("scale", target, to(4)))).Diff, "taken over from kubectl (Update, scale)")
			require.Equal(t, int64(4), b.replicasOf(t, "web"))
		})
	}
}

// An author whose manifest does not say how many there are goes on applying it.
func TestAnAuthorWhoSaysNothingOfReplicasChangesNothing(t *testing.T) {
	b := newBench(t)
	manifest := web(b.ns, "web", 1, "")
	require.NoError(t, b.serverSide(t, "helm", false, manifest))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	done(t, Scale(b.Cluster), proposal("scale", target, to(3)))

	silent := objectOf(t, manifest)
	unstructured.RemoveNestedField(silent.Object, "spec", "replicas")
	raw, err := silent.MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, b.serverSide(t, "helm", false, string(raw)))
	require.Equal(t, int64(3), b.replicasOf(t, "web"))
	target = b.settled(t, "apps/v1", "Deployment", "web")
	require.Equal(t, "replicas 3 -> 2", done(t, Scale(b.Cluster), again(proposal("scale", target, to(2)))).Diff)

	require.True(t, apierrors.IsConflict(b.serverSide(t, "helm", false, manifest)), "saying it again is a conflict that the author sees")
}

func TestScaleRefusesParametersThatAreWrong(t *testing.T) {
	b := newBench(t)
	_, err := Scale(b.Cluster).Plan(context.Background(), proposal("scale", engine.Target{Namespace: b.ns, Name: "web", Kind: "Deployment"}, to(-1)))
	require.ErrorContains(t, err, "replicas: must not be negative")
}
