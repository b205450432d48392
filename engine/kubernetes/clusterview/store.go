package clusterview

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// cached holds the fields of an object that a store keeps.
type cached interface {
	comparable
	runtime.Object
	key() types.NamespacedName
	id() *identity
}

// store holds the objects of one informer. A client-go reflector writes it. The zero T
// stands for no object.
type store[T cached] struct {
	convert func(decodedObject) T
	index   func(before, after T) // called for every change; may be nil
	listed  func()                // called after each full list

	mu        sync.RWMutex
	full      bool // listed at least once
	items     map[types.NamespacedName]T
	listeners map[int]func(before, after T) // called for changes after the first list
	nextID    int
}

var (
	_ cache.TransformingStore = (*store[*cachedObject])(nil)
	_ cache.TransformingStore = (*store[*cachedPod])(nil)
)

// Transformer converts objects as they are decoded, so that a stream of 10,000 is never
// in memory as a whole.
func (s *store[T]) Transformer() cache.TransformFunc {
	return func(o any) (any, error) { return s.cached(o) }
}

func (s *store[T]) cached(o any) (T, error) {
	if o, is := o.(T); is {
		return o, nil
	}
	if d, is := decodedFrom(o); is {
		return s.convert(d), nil
	}
	var none T
	return none, fmt.Errorf("the API server sent a %T, not an object", o)
}

func (s *store[T]) Add(o any) error { return s.upsert(o) }

func (s *store[T]) Update(o any) error { return s.upsert(o) }

func (s *store[T]) upsert(o any) error {
	item, err := s.cached(o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(item)
	return nil
}

func (s *store[T]) Delete(o any) error {
	item, err := s.cached(o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unset(item.key())
	return nil
}

// Replace stores a full list, and notifies of what differs.
func (s *store[T]) Replace(list []any, _ string) error {
	s.mu.Lock()
	if s.items == nil {
		s.items = make(map[types.NamespacedName]T, len(list))
	}
	still := make(map[types.NamespacedName]bool, len(list))
	for _, o := range list {
		item, err := s.cached(o)
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
	s.listed()
	return nil
}

// Resync does nothing, since no user needs to hear of unchanged objects.
func (s *store[T]) Resync() error { return nil }

func (s *store[T]) set(item T) {
	before, known := s.items[item.key()]
	if known && before.id().uid == item.id().uid && before.id().version == item.id().version {
		return
	}
	if known && before.id().uid != item.id().uid { // deleted and created again
		s.unset(item.key())
		var none T
		before = none
	}
	if s.items == nil {
		s.items = map[types.NamespacedName]T{}
	}
	s.items[item.key()] = item
	s.notify(before, item)
}

func (s *store[T]) unset(key types.NamespacedName) {
	before, known := s.items[key]
	if !known {
		return
	}
	delete(s.items, key)
	var none T
	s.notify(before, none)
}

func (s *store[T]) notify(before, after T) {
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

// addListener has f called, with the store locked, for each change after the first list.
// The function returned removes f.
func (s *store[T]) addListener(f func(before, after T)) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners == nil {
		s.listeners = map[int]func(before, after T){}
	}
	s.nextID++
	id := s.nextID
	s.listeners[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, id)
	}
}

func (s *store[T]) get(key types.NamespacedName) (T, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	item, ok := s.items[key]
	return item, ok
}

// all returns the objects for which keep returns true.
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
