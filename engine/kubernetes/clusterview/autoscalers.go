package clusterview

import (
	"context"
	"fmt"
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

// Autoscaler is an object that sets the replicas of a target.
type Autoscaler struct {
	APIVersion, Kind, Namespace, Name string
	// Min and Max are the bounds that it keeps to: what it says, or else its kind's
	// defaults.
	Min, Max int
}

// String is how a person is told of it: "HorizontalPodAutoscaler web (2 to 8 replicas)".
func (a Autoscaler) String() string {
	return fmt.Sprintf("%s %s (%d to %d replicas)", a.Kind, a.Name, a.Min, a.Max)
}

// AutoscalerOf is the autoscaler that names a target of some fleet; false where none
// does. A ScaledObject comes before the HorizontalPodAutoscaler that KEDA made for
// it, and is its target's owner while it is paused, too. It costs no request but
// those that begin to follow the autoscalers; it waits for their first list. An error
// says why it is not known whether there is one: then nobody may write the replicas.
func (v *View) AutoscalerOf(ctx context.Context, id engine.TargetID) (Autoscaler, bool, error) {
	inf, _ := v.find(id)
	if inf == nil {
		return Autoscaler{}, false, fmt.Errorf("find the autoscaler of %s %s: no fleet has it", id.Kind, id)
	}
	kinds, err := v.autoscalersFor(inf)
	if err != nil {
		return Autoscaler{}, false, err
	}
	mapping, _ := inf.kindOf()
	for _, s := range kinds {
		switch err := s.inf.ready(ctx); {
		case apiclient.Missing(err): // nobody has such autoscalers here
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

// autoscalersFor is the autoscalers of an informer's objects, started when first
// asked for and released with it.
func (v *View) autoscalersFor(inf *informer) ([]*scalers, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case inf.autoscalers != nil:
		return inf.autoscalers, nil
	case inf.users == 0: // released since it was found: nobody would release them
		return nil, errReleased
	}
	for _, kind := range []struct{ version, kind string }{{ScaledObjectVersion, scaledObject}, {HPAVersion, hpa}} {
		own, err := v.acquireLocked(informerKey{apiVersion: kind.version, kind: kind.kind, namespace: inf.key.namespace, field: "spec", optional: kind.kind == scaledObject})
		if err != nil {
			return nil, err
		}
		s := &scalers{inf: own}
		s.stale.Store(true)
		s.forget = own.objects.listen(s.changed)
		inf.autoscalers = append(inf.autoscalers, s)
	}
	return inf.autoscalers, nil
}

// releaseAutoscalers ends what autoscalersFor began. The View is locked.
func (v *View) releaseAutoscalers(inf *informer) {
	for _, s := range inf.autoscalers {
		s.forget()
		v.releaseLocked(s.inf)
	}
	inf.autoscalers = nil
}

// scalers finds autoscalers of one kind by what they scale. The index is made again
// when it is asked for after one of them has changed: their status, which changes
// all the time, is not kept.
type scalers struct {
	inf    *informer
	forget func()
	stale  atomic.Bool

	mu    sync.Mutex
	index map[engine.TargetID][]reference
}

// reference is one autoscaler, and the API group that it names; "" is any.
type reference struct {
	group  string
	scaler Autoscaler
}

func (s *scalers) changed(before, after *slim) {
	if before == nil || after == nil || !reflect.DeepEqual(before.value, after.value) {
		s.stale.Store(true)
	}
}

func (s *scalers) of(group string, id engine.TargetID) (Autoscaler, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale.Swap(false) { // before the reading: what changes meanwhile is read again
		s.index = map[engine.TargetID][]reference{}
		for _, o := range s.inf.objects.all(func(o *slim) bool { return !o.leaving }) {
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

// read takes from an autoscaler whom it scales, and within what bounds.
func (s *scalers) read(o *slim) (engine.TargetID, reference) {
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
		if kind == "" {
			kind = "Deployment"
		}
	} else {
		scaler.Min, scaler.Max = number("minReplicas", 1), number("maxReplicas", 0)
	}
	return engine.TargetID{Kind: kind, Namespace: o.namespace, Name: text("name")}, reference{group, scaler}
}
