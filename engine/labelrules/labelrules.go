// Package labelrules names the mistakes in labels that objects are looked for by. A label
// that no object can have finds none, which reads like a count of 0. It looks at no object.
// Start at Mistakes.
package labelrules

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Mistakes are the labels that no object can have, by Kubernetes' rules for labels, as
// "field.NAME: why".
func Mistakes(field string, labels map[string]string) mistake.Mistakes {
	var out mistake.Mistakes
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if why := validation.IsQualifiedName(name); len(why) > 0 {
			out.Add(mistake.Key(field, name), "is no name of a label: "+why[0], "")
		}
		if why := validation.IsValidLabelValue(labels[name]); len(why) > 0 {
			out.Add(mistake.Key(field, name), fmt.Sprintf("no label has the value %q: %s", labels[name], why[0]), "")
		}
	}
	return out
}

// Namespace reports whether a namespace can have this name.
func Namespace(name string) bool { return len(validation.IsDNS1123Label(name)) == 0 }
