package agentcr

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// store has the agents as last seen, by the watch or in answers to our own writes. It implements
// cache.ReflectorStore.
type store struct {
	kinds   manifest.Kinds
	changed chan struct{}
	synced  chan struct{}

	mu    sync.Mutex
	known map[types.NamespacedName]entry
	once  sync.Once // closes synced
}

type entry struct {
	found  Found
	labels map[string]string
}

func newStore(kinds manifest.Kinds) *store {
	return &store{kinds: kinds, changed: make(chan struct{}, 1), synced: make(chan struct{}), known: map[types.NamespacedName]entry{}}
}

func (s *store) Add(object any) error { return s.upsert(object) }

func (s *store) Update(object any) error { return s.upsert(object) }

func (s *store) Delete(object any) error {
	u, err := asUnstructured(object)
	if err != nil {
		return err
	}
	s.remove(nameOf(u))
	return nil
}

// Replace stores a full list.
func (s *store) Replace(objects []any, _ string) error {
	there := map[types.NamespacedName]bool{}
	for _, object := range objects {
		u, err := asUnstructured(object)
		if err != nil {
			return err
		}
		there[nameOf(u)] = true
		s.set(u)
	}
	for _, f := range s.all() {
		if name := f.NamespacedName(); !there[name] {
			s.remove(name)
		}
	}
	s.once.Do(func() { close(s.synced) })
	return nil
}

// Resync does nothing: only this package reads the store.
func (s *store) Resync() error { return nil }

func asUnstructured(object any) (*unstructured.Unstructured, error) {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("the API server sent a %T for an agent", object)
	}
	return u, nil
}

func nameOf(u *unstructured.Unstructured) types.NamespacedName {
	return types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()}
}

func (s *store) upsert(object any) error {
	u, err := asUnstructured(object)
	if err == nil {
		s.set(u)
	}
	return err
}

// set stores an object of the watch, unless the stored one is newer. An object that is being
// deleted counts as gone.
func (s *store) set(u *unstructured.Unstructured) {
	if u.GetDeletionTimestamp() != nil {
		s.remove(nameOf(u))
		return
	}
	s.update(u, func(before entry, there bool) bool {
		return !there || before.found.UID != u.GetUID() || !older(u.GetResourceVersion(), before.found.ResourceVersion)
	})
}

// refresh stores the answer to a write of ours, unless the watch has something newer or the
// agent is gone.
func (s *store) refresh(u *unstructured.Unstructured) {
	s.update(u, func(before entry, there bool) bool {
		return there && before.found.UID == u.GetUID() && !older(u.GetResourceVersion(), before.found.ResourceVersion)
	})
}

// update parses an object outside the lock, and only if it has changed; wanted decides under
// the lock whether to store it.
func (s *store) update(u *unstructured.Unstructured, wanted func(before entry, there bool) bool) {
	before, there := s.get(nameOf(u))
	same := there && before.found.UID == u.GetUID() && before.found.Generation == u.GetGeneration() && maps.Equal(before.labels, u.GetLabels())
	now := entry{found: before.found, labels: u.GetLabels()}
	if !same {
		now.found = s.read(u)
	}
	now.found.Shown = statusOf(u)
	now.found.ResourceVersion = u.GetResourceVersion()
	now.found.LastGood, now.found.LastGoodSpec = s.lastGood(u)
	if s.put(now, wanted) && !same {
		s.signalChange()
	}
}

func (s *store) put(e entry, wanted func(before entry, there bool) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := e.found.NamespacedName()
	if before, there := s.known[name]; !wanted(before, there) {
		return false
	}
	s.known[name] = e
	return true
}

func (s *store) read(u *unstructured.Unstructured) Found {
	f := Found{Namespace: u.GetNamespace(), Name: u.GetName(), UID: u.GetUID(), Generation: u.GetGeneration()}
	raw, err := u.MarshalJSON()
	if err != nil { // unlikely: it came as JSON
		f.Mistakes = mistake.Mistakes{{Message: err.Error()}}
		return f
	}
	f.Agent, f.Mistakes = manifest.ReadObject(f.NamespacedName().String(), raw, s.kinds)
	f.Spec, _, _ = unstructured.NestedMap(u.Object, "spec")
	return f
}

// lastGood returns the agent with the spec in its status.
func (s *store) lastGood(u *unstructured.Unstructured) (*manifest.Agent, map[string]any) {
	spec, there, _ := unstructured.NestedMap(u.Object, "status", "lastGood")
	if !there {
		return nil, nil
	}
	whole := u.DeepCopy()
	whole.Object["spec"] = spec
	raw, err := whole.MarshalJSON()
	if err != nil {
		return nil, nil
	}
	agent, mistakes := manifest.ReadObject(nameOf(u).String(), raw, s.kinds)
	if len(mistakes) > 0 { // an older release wrote it
		return nil, nil
	}
	return agent, spec
}

// statusOf returns the status of an object. A malformed one counts as empty, and is overwritten.
func statusOf(u *unstructured.Unstructured) manifest.Status {
	var out manifest.Status
	raw, err := json.Marshal(u.Object["status"])
	if err != nil || json.Unmarshal(raw, &out) != nil {
		return manifest.Status{}
	}
	return out
}

// older compares versions of one object. Versions that can't be compared count as in order.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}

func (s *store) remove(name types.NamespacedName) {
	s.mu.Lock()
	_, there := s.known[name]
	delete(s.known, name)
	s.mu.Unlock()
	if there {
		s.signalChange()
	}
}

func (s *store) signalChange() {
	select {
	case s.changed <- struct{}{}:
	default: // a signal is pending already
	}
}

func (s *store) get(name types.NamespacedName) (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.known[name]
	return e, ok
}

func (s *store) all() []Found {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Found, 0, len(s.known))
	for _, e := range s.known {
		out = append(out, e.found)
	}
	slices.SortFunc(out, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}
