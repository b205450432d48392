// Package labelrules validates the labels of a selector. A label that no object can have
// selects nothing, which would be reported as a count of 0. Start reading at Mistakes.
package labelrules

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Mistakes returns a mistake for each label that no object can have, by the rules of
// Kubernetes. path is the field of the labels.
func Mistakes(path string, labels map[string]string) mistake.Mistakes {
	var out mistake.Mistakes
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if why := validation.IsQualifiedName(name); len(why) > 0 {
			out.Add(mistake.Key(path, name), "is no name of a label: "+why[0], "")
		}
		if why := validation.IsValidLabelValue(labels[name]); len(why) > 0 {
			out.Add(mistake.Key(path, name), fmt.Sprintf("no label has the value %q: %s", labels[name], why[0]), "")
		}
	}
	return out
}

// Namespace reports whether a name is valid for a namespace.
func Namespace(name string) bool { return len(validation.IsDNS1123Label(name)) == 0 }
