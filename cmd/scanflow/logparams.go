package main

import (
	"maps"

	"github.com/scanflow-k8s/scanflow/engine"
)

// carries are the parameters of verbs that hand on what an event said, whoever sent it.
var eventDataParams = map[string]string{"event.send": "data", "webhook": "body"}

// logged is the parameters of a decision as the log has them: data of events stays in the
// journal, where fewer can read it.
func loggedParams(d *engine.Decision) string {
	name := eventDataParams[d.Primitive]
	if _, has := d.With[name]; !has {
		return paramsText(d.With)
	}
	with := maps.Clone(d.With)
	with[name] = "..."
	return paramsText(with)
}
