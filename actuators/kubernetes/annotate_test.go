package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

func notes(m map[string]any) map[string]any { return map[string]any{"annotations": m} }

func TestAnnotateKeepsWhatItSetBefore(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	verb := Annotate(b.Cluster)
	first := done(t, verb, proposal("annotate", target, notes(map[string]any{"example.com/a": "1"})))
	require.Equal(t, "Deployment "+b.ns+"/web: metadata.annotations['example.com/a'] none -> 1", first.Diff)
	anotherSecond(t) // so that it shows that we wrote after the author
	done(t, verb, later(proposal("annotate", target, notes(map[string]any{"example.com/c": "3"}))))
	second := done(t, verb, later(proposal("annotate", target, notes(map[string]any{"example.com/b": "2", "example.com/other": "ours"}))))
	require.Contains(t, second.Diff, "metadata.annotations['example.com/b'] none -> 2")
	got := b.read(t, "apps/v1", "Deployment", "web").GetAnnotations()
	require.Equal(t, []string{"1", "2", "ours", "kept"}, []string{got["example.com/a"], got["example.com/b"], got["example.com/other"], got["scanflow.dev/note"]})
	require.True(t, plannedOf(t, verb, later(proposal("annotate", target, notes(map[string]any{"example.com/a": "1"})))).NoOp)
}

// The written annotations are verified, and can be undone, except for those that another manager
// wrote since.
func TestAnnotateIsVerifiedAndUndone(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	verb := annotator{b.Cluster}
	change := done(t, verb, proposal("annotate", target, notes(map[string]any{"example.com/new": "x", "example.com/other": "ours"})))
	verified := func() engine.Status {
		out, err := verify(t, verb, change)
		require.NoError(t, err)
		return out.Status
	}
	require.Equal(t, engine.Done, verified())
	b.merge(t, "kubectl-annotate", "apps/v1", "Deployment", "web", `{"metadata": {"annotations": {"example.com/new": "theirs"}}}`)
	require.Equal(t, engine.Failed, verified())
	_, err := verb.Undo(testContext(t), change)
	require.ErrorIs(t, err, ErrMoved)

	b.merge(t, "kubectl-annotate", "apps/v1", "Deployment", "web", `{"metadata": {"annotations": {"example.com/new": "x"}}}`)
	_, err = verb.Undo(testContext(t), change)
	require.NoError(t, err)
	got := b.read(t, "apps/v1", "Deployment", "web").GetAnnotations()
	require.Equal(t, "dropped", got["example.com/other"])
	require.Equal(t, engine.Failed, verified())
}

// Two acts on one object, both planned before either writes: each keeps to its own.
func TestAnnotateSideBySide(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	verb := annotator{b.Cluster}
	done(t, verb, proposal("annotate", target, notes(map[string]any{"example.com/a": "1", "example.com/b": "1"})))
	plan := func(key string) engine.Change {
		return plannedOf(t, verb, later(proposal("annotate", target, notes(map[string]any{key: "2"}))))
	}
	status := func(c engine.Change) engine.Status {
		out, err := verify(t, verb, c)
		require.NoError(t, err)
		return out.Status
	}
	has := func(want ...string) {
		t.Helper()
		got := b.read(t, "apps/v1", "Deployment", "web").GetAnnotations()
		require.Equal(t, want, []string{got["example.com/a"], got["example.com/b"], got["example.com/c"]})
	}
	first, second, third, late := plan("example.com/a"), plan("example.com/b"), plan("example.com/c"), plan("example.com/a")
	for _, c := range []engine.Change{first, second, third} {
		_, err := verb.Apply(testContext(t), c)
		require.NoError(t, err)
	}
	has("2", "2", "2")
	_, err := verb.Apply(testContext(t), late)
	require.NoError(t, err, "it is so already")
	_, err = verb.Undo(testContext(t), third)
	require.NoError(t, err)
	has("2", "2", "")
	_, err = verb.Undo(testContext(t), second)
	require.NoError(t, err)
	has("2", "1", "")
	require.Equal(t, []engine.Status{engine.Done, engine.Failed, engine.Failed}, []engine.Status{status(first), status(second), status(third)})

	stale := plan("example.com/b")
	done(t, verb, later(proposal("annotate", target, notes(map[string]any{"example.com/b": "3"}))))
	_, err = verb.Apply(testContext(t), stale)
	require.ErrorIs(t, err, ErrMoved, "the very same annotation was written meanwhile")
	has("2", "3", "")
}

func TestAnnotateAndOthers(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	verb := Annotate(b.Cluster)
	p := proposal("annotate", target, notes(map[string]any{"example.com/other": "ours"}))
	require.Contains(t, plannedOf(t, verb, p).Diff, "dropped -> ours, taken over from kubectl-create (Update, 20")
	done(t, verb, p)
	b.merge(t, "kubectl-annotate", "apps/v1", "Deployment", "web", `{"metadata": {"annotations": {"example.com/other": "theirs"}}}`)
	_, err := verb.Plan(testContext(t), later(p))
	var owned *OwnedError
	require.ErrorAs(t, err, &owned)
	require.Contains(t, err.Error(), "metadata.annotations['example.com/other'] belongs to kubectl-annotate (Update, 20")

	for _, key := range []string{"kubernetes.io/x", "kubectl.kubernetes.io/restartedAt", "node.k8s.io/x", "scanflow.dev/take-over", "no key/at all"} {
		_, err := verb.Plan(testContext(t), proposal("annotate", target, notes(map[string]any{key: "x"})))
		require.ErrorContains(t, err, mistake.Key("annotations", key))
	}

	change := plannedOf(t, verb, later(proposal("annotate", target, notes(map[string]any{"example.com/new": "x"}))))
	require.NoError(t, b.deployments(t).Delete(testContext(t), "web", metav1.DeleteOptions{}))
	_, err = verb.Apply(testContext(t), change)
	require.Error(t, err)
	require.False(t, engine.IsRetryable(err))
	_, err = b.deployments(t).Get(testContext(t), "web", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "what was deleted is not made again")
}
