package apiclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// Apply applies every object of a YAML text in order, by forced server-side apply. Objects of
// namespaced kinds without a namespace go to "default". It stops at the first failure, and
// returns the objects that were applied.
func (c *Client) Apply(ctx context.Context, manager, text string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return out, fmt.Errorf("read the objects to apply: %w", err)
		}
		if len(object.Object) == 0 {
			continue
		}
		applied, err := c.apply(ctx, manager, object)
		if err != nil {
			return out, fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		out = append(out, applied)
	}
}

func (c *Client) apply(ctx context.Context, manager string, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	mapping, err := c.Kinds.Find(object.GetAPIVersion(), object.GetKind())
	if err != nil {
		return nil, err
	}
	resource := c.Dynamic.Resource(mapping.Resource)
	options := metav1.ApplyOptions{FieldManager: manager, Force: true}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return resource.Apply(ctx, object.GetName(), object, options)
	}
	if object.GetNamespace() == "" {
		object.SetNamespace("default")
	}
	return resource.Namespace(object.GetNamespace()).Apply(ctx, object.GetName(), object, options)
}
