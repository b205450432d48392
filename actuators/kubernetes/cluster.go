package kubernetes

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// Cluster is the cluster that the verbs act on.
type Cluster struct {
	Client *apiclient.Client
	View   *clusterview.View
	// Publish sends an event to the agents of this process, such as the end of a workflow.
	Publish func(context.Context, engine.Event) error
	Clock   engine.Clock

	lookups eventLookups
}

// object is an object that was read from the API server.
type object struct {
	*unstructured.Unstructured
	mapping *meta.RESTMapping
}

// get reads one object. The error satisfies apierrors.IsNotFound where it does not exist, and
// is temporary during an outage.
func (c *Cluster) get(ctx context.Context, apiVersion, kind, namespace, name string) (*object, error) {
	mapping, err := c.Client.Kinds.Find(apiVersion, kind)
	if err != nil {
		return nil, err
	}
	o, err := c.resource(mapping, namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, apiclient.Classify(fmt.Errorf("read %s %s/%s: %w", kind, namespace, name, err))
	}
	return &object{o, mapping}, nil
}

func (c *Cluster) resource(mapping *meta.RESTMapping, namespace string) dynamic.ResourceInterface {
	all := c.Client.Dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return all.Namespace(namespace)
	}
	return all
}

// refuse returns an error for mistakes in parameters, or nil if there are none.
func refuse(p engine.Proposal, mistakes []string) error {
	if len(mistakes) == 0 {
		return nil
	}
	errs := make([]error, len(mistakes))
	for i, m := range mistakes {
		errs[i] = errors.New(m)
	}
	return fmt.Errorf("%s %s: %w", p.Primitive, p.Target.ID(), errors.Join(errs...))
}
