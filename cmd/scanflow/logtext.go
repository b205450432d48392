package main

import (
	"maps"

	"github.com/scanflow-k8s/scanflow/engine"
)

// carries are the parameters of verbs that hand on what an event said, whoever sent it.
var carries = map[string]string{"event.send": "data", "webhook": "body"}

// logged is the parameters of a decision as the log has them: data of events stays in the
// journal, where fewer can read it.
func logged(d *engine.Decision) string {
	name := carries[d.Primitive]
	if _, has := d.With[name]; !has {
		return withText(d.With)
	}
	with := maps.Clone(d.With)
	with[name] = "..."
	return withText(with)
}
