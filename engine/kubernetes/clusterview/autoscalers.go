package clusterview

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// The API versions and kinds of the autoscalers that a View looks for.
const (
	HPAVersion          = "autoscaling/v2"
	ScaledObjectVersion = "keda.sh/v1alpha1"

	hpa          = "HorizontalPodAutoscaler"
	scaledObject = "ScaledObject"
)

// Autoscaler is an object that controls the replicas of a target.
type Autoscaler struct {
	APIVersion, Kind, Namespace, Name string
	// Min and Max are its bounds, or the defaults of its kind. MaxUnset is true where Max is.
	Min, Max int
	MaxUnset bool
	// Idle is the number of replicas while no trigger of a ScaledObject is active; nil is Min.
	Idle *int
	// Pause has the directions that the annotations of a ScaledObject pause.
	Pause KEDAPause
}

// String is "HorizontalPodAutoscaler web (2 to 8 replicas)", with what else counts.
func (a Autoscaler) String() string {
	bounds := fmt.Sprintf("%d to %d replicas", a.Min, a.Max)
	if a.MaxUnset {
		bounds += ", the most by default"
	}
	if a.Idle != nil {
		bounds += fmt.Sprintf(", %d when idle", *a.Idle)
	}
	text := fmt.Sprintf("%s %s (%s)", a.Kind, a.Name, bounds)
	if pause := a.Pause.String(); pause != "" {
		text += ", which is " + pause
	}
	return text
}

// AutoscalerOf returns the autoscaler that names a target of some fleet; the bool is false
// where there is none. A ScaledObject takes precedence over the HorizontalPodAutoscaler
// that KEDA made for it, even while it is paused. The first call starts the informers of
// autoscalers and waits for their first list; later ones send no request. On an error
// nobody may write the replicas, since it is unknown who owns them.
func (v *View) AutoscalerOf(ctx context.Context, id engine.TargetID) (Autoscaler, bool, error) {
	inf, _ := v.find(id)
	if inf == nil {
		return Autoscaler{}, false, fmt.Errorf("find the autoscaler of %s %s: no fleet has it", id.Kind, id)
	}
	kinds, err := v.autoscalersFor(inf)
	if err != nil {
		return Autoscaler{}, false, err
	}
	mapping, _ := inf.kind()
	for _, s := range kinds {
		switch err := s.inf.ready(ctx); {
		case apiclient.Missing(err): // the cluster has no such kind, so no such autoscaler
			continue
		case err != nil:
			return Autoscaler{}, false, fmt.Errorf("find the autoscaler of %s %s: %w", id.Kind, id, err)
		}
		if a, ok := s.of(mapping.GroupVersionKind.Group, id); ok {
			return a, true, nil
		}
	}
	return Autoscaler{}, false, nil
}

// autoscalersFor returns the autoscalers of an informer's objects. The first call acquires
// their informers, and releasing inf releases them.
func (v *View) autoscalersFor(inf *informer) ([]*autoscalerIndex, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case inf.autoscalers != nil:
		return inf.autoscalers, nil
	case inf.users == 0: // released meanwhile: nobody would release them
		return nil, errReleased
	}
	for _, kind := range []struct{ version, kind string }{{ScaledObjectVersion, scaledObject}, {HPAVersion, hpa}} {
		own, err := v.acquireLocked(informerKey{apiVersion: kind.version, kind: kind.kind, namespace: inf.key.namespace, field: "spec", known: true, optional: kind.kind == scaledObject})
		if err != nil {
			return nil, err
		}
		s := &autoscalerIndex{inf: own}
		s.stale.Store(true)
		s.forget = own.objects.addListener(s.changed)
		inf.autoscalers = append(inf.autoscalers, s)
	}
	return inf.autoscalers, nil
}

// releaseAutoscalers releases what autoscalersFor acquired. The View is locked.
func (v *View) releaseAutoscalers(inf *informer) {
	for _, s := range inf.autoscalers {
		s.forget()
		v.endUse(s.inf)
	}
	inf.autoscalers = nil
}

// autoscalerIndex finds autoscalers of one kind by their target. It is rebuilt on the first
// use after a spec has changed; their status, which changes all the time, is not cached.
type autoscalerIndex struct {
	inf    *informer
	forget func()
	stale  atomic.Bool

	mu    sync.Mutex
	index map[engine.TargetID][]reference
}

// reference is an autoscaler with the API group of its target; "" is any.
type reference struct {
	group  string
	scaler Autoscaler
}

func (s *autoscalerIndex) changed(before, after *cachedObject) {
	if before == nil || after == nil || !reflect.DeepEqual(before.value, after.value) || !maps.Equal(before.annotations, after.annotations) {
		s.stale.Store(true)
	}
}

func (s *autoscalerIndex) of(group string, id engine.TargetID) (Autoscaler, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale.Swap(false) { // first, so that a change during the rebuild causes another
		s.index = map[engine.TargetID][]reference{}
		for _, o := range s.inf.objects.all(func(o *cachedObject) bool { return !o.terminating }) {
			at, ref := s.read(o)
			s.index[at] = append(s.index[at], ref)
		}
	}
	for _, ref := range s.index[id] {
		if ref.group == "" || ref.group == group {
			return ref.scaler, true
		}
	}
	return Autoscaler{}, false
}

// read returns an autoscaler's target and bounds.
func (s *autoscalerIndex) read(o *cachedObject) (engine.TargetID, reference) {
	spec, _ := o.value.(map[string]any)
	key := s.inf.key
	text := func(name string) string { return fieldpath.Text(spec, "scaleTargetRef", name) }
	number := func(name string, otherwise int) int {
		if n, ok := fieldpath.Int(spec, name); ok {
			return int(n)
		}
		return otherwise
	}
	scaler := Autoscaler{APIVersion: key.apiVersion, Kind: key.kind, Namespace: o.namespace, Name: o.name}
	kind, group := text("kind"), ""
	if g, _, grouped := strings.Cut(text("apiVersion"), "/"); grouped {
		group = g
	}
	if key.kind == scaledObject {
		scaler.Min, scaler.Max = number("minReplicaCount", 0), number("maxReplicaCount", 100)
		_, most := fieldpath.Int(spec, "maxReplicaCount")
		scaler.MaxUnset = !most
		if idle, ok := fieldpath.Int(spec, "idleReplicaCount"); ok {
			n := int(idle)
			scaler.Idle = &n
		}
		scaler.Pause = KEDAPauseOf(o.annotations)
		if kind == "" {
			kind = "Deployment"
		}
	} else {
		scaler.Min, scaler.Max = number("minReplicas", 1), number("maxReplicas", 0)
	}
	return engine.TargetID{Kind: kind, Namespace: o.namespace, Name: text("name")}, reference{group, scaler}
}
