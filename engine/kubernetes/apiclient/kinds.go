package apiclient

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
)

// rediscoverAfter bounds the time for which a missing kind is assumed to be still missing, since
// discovery costs several requests.
const rediscoverAfter = 10 * time.Second

// Kinds resolves kinds to resources of the API server. It is safe for concurrent use.
type Kinds struct {
	lookup *discovery.DiscoveryClient
	mapper *restmapper.DeferredDiscoveryRESTMapper

	mu         sync.Mutex
	discovered map[schema.GroupVersionKind]time.Time // when discovery was last repeated for a missing kind
}

func newKinds(lookup *discovery.DiscoveryClient) *Kinds {
	return &Kinds{lookup: lookup, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(lookup))}
}

// MissingKindError means that the API server does not serve a kind.
type MissingKindError struct {
	APIVersion, Kind string
}

func (e *MissingKindError) Error() string {
	return fmt.Sprintf("the cluster has no kind %s of %s; install its custom resource definition, or correct the name", e.Kind, e.APIVersion)
}

// Find returns the resource of a kind. The error is a *MissingKindError where the API server
// does not serve the kind, and temporary otherwise.
func (k *Kinds) Find(apiVersion, kind string) (*meta.RESTMapping, error) {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return nil, fmt.Errorf("apiVersion %q: %w", apiVersion, err)
	}
	mapping, err := k.mapper.RESTMapping(schema.GroupKind{Group: gv.Group, Kind: kind}, gv.Version)
	if meta.IsNoMatchError(err) && k.mayRediscover(gv.WithKind(kind)) {
		k.mapper.Reset()
		mapping, err = k.mapper.RESTMapping(schema.GroupKind{Group: gv.Group, Kind: kind}, gv.Version)
	}
	var failed *discovery.ErrGroupDiscoveryFailed
	switch {
	case meta.IsNoMatchError(err):
		return nil, &MissingKindError{apiVersion, kind}
	case errors.As(err, &failed):
		return nil, Classify(fmt.Errorf("find the kind %s of %s: %w", kind, apiVersion, failed))
	case err != nil:
		return nil, Classify(fmt.Errorf("find the kind %s of %s: %w", kind, apiVersion, err))
	}
	return mapping, nil
}

func (k *Kinds) mayRediscover(kind schema.GroupVersionKind) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.discovered[kind]) < rediscoverAfter {
		return false
	}
	if k.discovered == nil {
		k.discovered = map[schema.GroupVersionKind]time.Time{}
	}
	k.discovered[kind] = time.Now()
	return true
}

// Missing reports whether an error is a *MissingKindError.
func Missing(err error) bool {
	var m *MissingKindError
	return errors.As(err, &m)
}
