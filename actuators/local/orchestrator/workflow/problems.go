package workflow

import (
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// problems are the mistakes in a template, and its fields that can't be honoured here. Paths
// start at the object: "spec.templates[1].container.args[0]".
type problems mistake.Mistakes

func (ps *problems) add(path, format string, args ...any) {
	*ps = append(*ps, mistake.Mistake{Path: path, Message: fmt.Sprintf(format, args...)})
}
