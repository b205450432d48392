package main

import (
	"maps"

	"github.com/scanflow-k8s/scanflow/engine"
)

// eventDataParams names, by verb, the parameter that may carry the data of an event.
var eventDataParams = map[string]string{"event.send": "data", "webhook": "body"}

// loggedParams formats the parameters of a decision for the log. Data of events is left
// out: it stays in the journal, which fewer people can read.
func loggedParams(d *engine.Decision) string {
	name := eventDataParams[d.Primitive]
	if _, has := d.With[name]; !has {
		return paramsText(d.With)
	}
	with := maps.Clone(d.With)
	with[name] = "..."
	return paramsText(with)
}
