package clusterview

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// lean is what is kept of an object: a *slim or a *slimPod.
type lean interface {
	comparable
	runtime.Object
	key() types.NamespacedName
	id() *identity
}

// store is what one informer knows. A reflector writes it.
type store[T lean] struct {
	slim   func(*unstructured.Unstructured) T
	index  func(before, after T) // told of every change; nil for none. Absent is the zero T
	filled func()                // told after each full list

	mu        sync.RWMutex
	full      bool // a list was taken once
	items     map[types.NamespacedName]T
	listeners map[int]func(before, after T) // told of changes after the first list
	serial    int
}

var (
	_ cache.TransformingStore = (*store[*slim])(nil)
	_ cache.TransformingStore = (*store[*slimPod])(nil)
)

// Transformer makes objects lean as they come off the wire, so that a stream of
// 10,000 is never in memory as it is.
func (s *store[T]) Transformer() cache.TransformFunc {
	return func(o any) (any, error) { return s.lean(o) }
}

func (s *store[T]) lean(o any) (T, error) {
	switch o := o.(type) {
	case T:
		return o, nil
	case *unstructured.Unstructured:
		return s.slim(o), nil
	}
	var none T
	return none, fmt.Errorf("the API server sent a %T, not an object", o)
}

// Add takes an object.
func (s *store[T]) Add(o any) error { return s.put(o) }

// Update takes an object's new version.
func (s *store[T]) Update(o any) error { return s.put(o) }

func (s *store[T]) put(o any) error {
	item, err := s.lean(o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(item)
	return nil
}

// Delete forgets an object.
func (s *store[T]) Delete(o any) error {
	item, err := s.lean(o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unset(item.key())
	return nil
}

// Replace takes a full list, and tells of what is different in it.
func (s *store[T]) Replace(list []any, _ string) error {
	s.mu.Lock()
	if s.items == nil {
		s.items = make(map[types.NamespacedName]T, len(list))
	}
	still := make(map[types.NamespacedName]bool, len(list))
	for _, o := range list {
		item, err := s.lean(o)
		if err != nil {
			s.mu.Unlock()
			return err
		}
		still[item.key()] = true
		s.set(item)
	}
	for key := range s.items {
		if !still[key] {
			s.unset(key)
		}
	}
	s.full = true
	s.mu.Unlock()
	s.filled()
	return nil
}

// Resync does nothing: nobody asks for what did not change.
func (s *store[T]) Resync() error { return nil }

func (s *store[T]) set(item T) {
	before, known := s.items[item.key()]
	if known && before.id().uid == item.id().uid && before.id().version == item.id().version {
		return
	}
	if known && before.id().uid != item.id().uid { // deleted, and made again
		s.unset(item.key())
		var none T
		before = none
	}
	if s.items == nil {
		s.items = map[types.NamespacedName]T{}
	}
	s.items[item.key()] = item
	s.tell(before, item)
}

func (s *store[T]) unset(key types.NamespacedName) {
	before, known := s.items[key]
	if !known {
		return
	}
	delete(s.items, key)
	var none T
	s.tell(before, none)
}

func (s *store[T]) tell(before, after T) {
	if s.index != nil {
		s.index(before, after)
	}
	if !s.full {
		return
	}
	for _, listener := range s.listeners {
		listener(before, after)
	}
}

// listen calls f, with the store locked, for each change from now on; what the first
// list brings is no change. The function returned ends it.
func (s *store[T]) listen(f func(before, after T)) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners == nil {
		s.listeners = map[int]func(before, after T){}
	}
	s.serial++
	serial := s.serial
	s.listeners[serial] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, serial)
	}
}

func (s *store[T]) get(key types.NamespacedName) (T, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	item, ok := s.items[key]
	return item, ok
}

// all is every object that keep lets through.
func (s *store[T]) all(keep func(T) bool) []T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]T, 0, len(s.items))
	for _, item := range s.items {
		if keep(item) {
			out = append(out, item)
		}
	}
	return out
}
