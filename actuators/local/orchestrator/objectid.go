package orchestrator

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The kinds of objects that the orchestrator reads.
const (
	KindDeployment = "Deployment"
	KindService    = "Service"
	KindRoute      = "HTTPRoute"
	KindWorkflow   = "WorkflowTemplate"
	KindCronJob    = "CronJob"
)

// ObjectID names an object of any kind.
type ObjectID struct {
	Kind string
	types.NamespacedName
}

func (id ObjectID) String() string { return id.Kind + " " + id.NamespacedName.String() }

func named(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// keyOf returns the name of an object. The namespace is "default" where none is set.
func keyOf(m metav1.Object) types.NamespacedName {
	return named(cmp.Or(m.GetNamespace(), corev1.NamespaceDefault), m.GetName())
}

// byKey indexes objects by name.
func byKey[T any, P interface {
	*T
	metav1.Object
}](list []T) map[types.NamespacedName]*T {
	out := map[types.NamespacedName]*T{}
	for i := range list {
		out[keyOf(P(&list[i]))] = &list[i]
	}
	return out
}

// keysOf returns the keys in a fixed order, so that a run with the same seed repeats.
func keysOf[V any](m map[types.NamespacedName]V) []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(m), func(a, b types.NamespacedName) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

// list writes the keys of a map for a message.
func list[V any](m map[types.NamespacedName]V) string {
	out := make([]string, 0, len(m))
	for _, k := range keysOf(m) {
		out = append(out, k.String())
	}
	return cmp.Or(strings.Join(out, ", "), "none")
}

// find looks an object up. The error names those that there are.
func find[V any](in map[types.NamespacedName]*V, id ObjectID) (*V, error) {
	if one := in[id.NamespacedName]; one != nil {
		return one, nil
	}
	return nil, fmt.Errorf("there is none; these are: %s", list(in))
}
