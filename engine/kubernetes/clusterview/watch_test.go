package clusterview

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
)

// changeLog records the changes that a trigger is given.
type changeLog struct {
	mu   sync.Mutex
	list []engine.ObjectChange
}

// watched watches until the test ends, from a moment at which the objects are known.
func watched(t *testing.T, v *View, spec engine.WatchSpec) *changeLog {
	t.Helper()
	out := &changeLog{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	w, err := v.newWatcher(spec)
	require.NoError(t, err)
	go func() {
		done <- v.Watch(ctx, spec, func(c engine.ObjectChange) {
			out.mu.Lock()
			defer out.mu.Unlock()
			out.list = append(out.list, c)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			require.ErrorIs(t, err, ErrClosed)
		}
	})
	soon(t, "the watch has begun", func() bool {
		v.mu.RLock()
		inf := v.informers[w.key]
		v.mu.RUnlock()
		if inf == nil || !inf.healthy() {
			return false
		}
		inf.objects.mu.RLock()
		defer inf.objects.mu.RUnlock()
		return len(inf.objects.listeners) > 0
	})
	return out
}

func (r *changeLog) waiting() []engine.ObjectChange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]engine.ObjectChange(nil), r.list...)
}

// next takes the next n.
func (r *changeLog) next(t *testing.T, n int) []engine.ObjectChange {
	t.Helper()
	soon(t, "the changes are reported", func() bool { return len(r.waiting()) >= n })
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.list[:n:n]
	r.list = r.list[n:]
	return out
}

func TestWatchTriggers(t *testing.T) {
	c, v := sharedView(t)
	sets := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}
	configMaps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	ns := c.Namespace(t)
	// Not Deployments: their annotations count as spec, and their controller writes one.
	set := func(name, tier string) string {
		return strings.Replace(web(ns, name, 1, "tier: "+tier), "kind: Deployment", "kind: StatefulSet", 1)
	}
	c.Apply(t, set("a", "front")+set("b", "back")+"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: "+ns+"}\ndata: {x: \"1\"}\n")
	all := engine.Selector{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: ns}
	front := all
	front.MatchLabels = map[string]string{"tier": "front"}
	whole := watched(t, v, engine.WatchSpec{Selector: front})
	image := watched(t, v, engine.WatchSpec{Selector: front, Field: "spec.template.spec.containers[0].image"})
	named := watched(t, v, engine.WatchSpec{Selector: all, Name: "b", Field: "status.observedGeneration"})
	config := watched(t, v, engine.WatchSpec{Selector: engine.Selector{APIVersion: "v1", Kind: "ConfigMap", Namespace: ns}, Name: "c"})
	own := func(kind, name string, from, to any) engine.ObjectChange {
		return engine.ObjectChange{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: ns, Name: name, Type: kind, From: from, To: to}
	}
	next := func(what string, r *changeLog, want ...engine.ObjectChange) {
		t.Helper()
		require.Empty(t, cmp.Diff(want, r.next(t, len(want))), what)
	}

	c.Patch(t, sets, ns, "a", `{"status": {"conditions": [{"type": "Odd", "status": "True"}]}}`, "status")
	c.Patch(t, sets, ns, "a", `{"metadata": {"annotations": {"other": "thing"}}}`)
	c.Patch(t, sets, ns, "a", `{"spec": {"replicas": 0}}`)
	next("neither status nor annotations count", whole, own("changed", "a", nil, nil))
	c.Patch(t, sets, ns, "a", `{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "example.com/digits:2"}]}}}}`)
	next("the image changed", image, own("changed", "a", "example.com/digits:1", "example.com/digits:2"))
	next("so did the spec", whole, own("changed", "a", nil, nil))

	c.Patch(t, sets, ns, "b", `{"metadata": {"labels": {"tier": "front"}}}`)
	next("labels that begin to match", whole, own("added", "b", nil, nil))
	next("also for a field", image, own("added", "b", nil, "example.com/digits:1"))
	c.Patch(t, sets, ns, "b", `{"metadata": {"labels": {"more": "front"}}}`)
	next("labels that change", whole, own("changed", "b", nil, nil))
	c.Delete(t, sets, ns, "a")
	next("an object goes", whole, own("deleted", "a", nil, nil))
	next("with its last value", image, own("deleted", "a", "example.com/digits:2", nil))
	c.Apply(t, set("a", "front"))
	next("and comes back", whole, own("added", "a", nil, nil))
	next("and comes back", image, own("added", "a", nil, "example.com/digits:1"))

	was := named.waiting()
	c.Patch(t, sets, ns, "b", `{"spec": {"minReadySeconds": 3}}`)
	got := named.next(t, len(was)+1)
	next("its spec changed, too", whole, own("changed", "b", nil, nil))
	require.Equal(t, "b", got[len(was)].Name, "a named object alone")
	require.IsType(t, 1.0, got[len(was)].To, "numbers are JSON's")

	c.Patch(t, configMaps, ns, "c", `{"data": {"x": "2"}}`)
	next("a kind without generations: each version counts", config, engine.ObjectChange{APIVersion: "v1", Kind: "ConfigMap", Namespace: ns, Name: "c", Type: "changed"})
	for _, r := range []*changeLog{whole, image, config} {
		require.Empty(t, r.waiting())
	}
	require.ErrorContains(t, v.Watch(testContext(t), engine.WatchSpec{Selector: front, Field: "spec..x"}, nil), "spec..x")
}
