package verbparams

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Annotate are the parameters of `annotate`.
type Annotate struct {
	Annotations map[string]string `json:"annotations" required:"true" doc:"annotations to set on the target; those that were set before stay"`
}

// takeOver is the annotation by which a person hands fields of an object to Scanflow. A policy
// must not set it.
const takeOver = "scanflow.dev/take-over"

// Check returns the mistakes in the values.
func (w Annotate) Check() mistake.Mistakes {
	var out mistake.Mistakes
	if len(w.Annotations) == 0 {
		out.Add("annotations", "must not be empty", "")
	}
	for _, key := range slices.Sorted(maps.Keys(w.Annotations)) {
		domain, _, _ := strings.Cut(key, "/")
		switch problems := validation.IsQualifiedName(strings.ToLower(key)); {
		case len(problems) > 0:
			out.Add(mistake.Key("annotations", key), "is no name of an annotation: "+problems[0], "")
		case strings.Contains(key, "/") && reserved(domain):
			out.Add(mistake.Key("annotations", key), fmt.Sprintf("names of %s are those of Kubernetes itself", domain), "")
		case key == takeOver:
			out.Add(mistake.Key("annotations", key), "is for people alone to write", "")
		}
	}
	return out
}

func reserved(domain string) bool {
	for _, own := range []string{"kubernetes.io", "k8s.io"} {
		if domain == own || strings.HasSuffix(domain, "."+own) {
			return true
		}
	}
	return false
}
