package main

import (
	"fmt"
	"strconv"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// list is the objects of a kind in the stage's namespace.
func (s *stage) list(resource schema.GroupVersionResource) []unstructured.Unstructured {
	s.t.Helper()
	list, err := s.cluster.Client().Dynamic.Resource(resource).Namespace(s.namespace).List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	return list.Items
}

// versions are those of everything that a verb could have written.
func (s *stage) versions() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, resource := range writableByVerbs {
		for _, o := range s.list(resource) {
			out[o.GetKind()+" "+o.GetName()] = o.GetResourceVersion()
		}
	}
	return out
}

// field is the text of a field; a number in the path is a place in a list. It is ""
// where there is no such object, or field.
func (s *stage) field(resource schema.GroupVersionResource, name string, path ...string) string {
	s.t.Helper()
	for _, o := range s.list(resource) {
		if o.GetName() == name {
			return fieldIn(o.Object, path...)
		}
	}
	return ""
}

func fieldIn(value any, path ...string) string {
	for _, step := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return ""
			}
			value = v[i]
		default:
			return ""
		}
	}
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}
