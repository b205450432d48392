package clusterview

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// scalePaths are the paths to the replicas of a kind's objects.
type scalePaths struct {
	// scalable kinds have a scale subresource.
	scalable bool
	// guessed paths are those of a kind whose definition can't be read: an object has
	// replicas if it has the field.
	guessed               bool
	desired, current      fieldpath.Path
	ready                 fieldpath.Path
	updated               fieldpath.Path
	selector              fieldpath.Path // of a selector as text; nil is spec.selector
	ownsPods              bool           // its pods name it, or its ReplicaSet, as their owner
	readyIsZeroWhenAbsent bool
	// statusCounts is true where each write of the status raises metadata.generation, because
	// the kind has no status subresource. Such an object never observes its own generation.
	statusCounts bool
}

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

func usualPaths() scalePaths {
	return scalePaths{
		desired: fieldpath.Path{"spec", "replicas"}, current: fieldpath.Path{"status", "replicas"},
		ready: fieldpath.Path{"status", "readyReplicas"}, updated: fieldpath.Path{"status", "updatedReplicas"},
	}
}

// builtIn returns the paths of the kinds that the API server defines.
func builtIn(kind schema.GroupKind) scalePaths {
	p := usualPaths()
	p.ownsPods, p.readyIsZeroWhenAbsent = true, true
	switch kind {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Group: "apps", Kind: "StatefulSet"},
		schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}, schema.GroupKind{Kind: "ReplicationController"}:
		p.scalable = true
	case schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		p.desired, p.current = fieldpath.Path{"status", "desiredNumberScheduled"}, fieldpath.Path{"status", "currentNumberScheduled"}
		p.ready, p.updated = fieldpath.Path{"status", "numberReady"}, fieldpath.Path{"status", "updatedNumberScheduled"}
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		p.desired, p.current = fieldpath.Path{"spec", "parallelism"}, fieldpath.Path{"status", "active"}
		p.ready, p.updated = fieldpath.Path{"status", "ready"}, nil
	default:
		return scalePaths{}
	}
	return p
}

// scalePathsOf reads the paths from the kind's definition, with one request. It guesses them
// where that is forbidden, or where the kind has none. Groups of custom resources contain a
// dot by rule; most of the API server's groups do not.
func scalePathsOf(ctx context.Context, client dynamic.Interface, mapping *meta.RESTMapping) (scalePaths, error) {
	kind := mapping.GroupVersionKind.GroupKind()
	if !strings.Contains(kind.Group, ".") {
		return builtIn(kind), nil
	}
	guess := usualPaths()
	guess.guessed = true
	crd, err := client.Resource(crds).Get(ctx, mapping.Resource.GroupResource().String(), metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err) || apierrors.IsNotFound(err):
		return guess, nil
	case err != nil:
		return scalePaths{}, apiclient.Classify(fmt.Errorf("read the definition of %s: %w", mapping.Resource.GroupResource(), err))
	}
	return scalePathsIn(crd, mapping.GroupVersionKind.Version)
}

func scalePathsIn(crd *unstructured.Unstructured, version string) (scalePaths, error) {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		served, _ := v.(map[string]any)
		if served["name"] != version {
			continue
		}
		scale, found, _ := unstructured.NestedMap(served, "subresources", "scale")
		if !found {
			return scalePaths{}, nil
		}
		p := usualPaths()
		p.scalable = true
		_, hasStatus, _ := unstructured.NestedMap(served, "subresources", "status")
		p.statusCounts = !hasStatus
		for _, f := range []struct {
			into *fieldpath.Path
			name string
		}{{&p.desired, "specReplicasPath"}, {&p.current, "statusReplicasPath"}, {&p.selector, "labelSelectorPath"}} {
			text, _ := scale[f.name].(string)
			if text == "" {
				continue
			}
			var err error
			if *f.into, err = fieldpath.Parse(text); err != nil {
				return scalePaths{}, fmt.Errorf("definition %s: %s: %w", crd.GetName(), f.name, err)
			}
		}
		p.ready, p.readyIsZeroWhenAbsent = readyPath(served, p.current)
		return p, nil
	}
	return scalePaths{}, nil
}
