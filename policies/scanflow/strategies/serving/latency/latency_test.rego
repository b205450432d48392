package scanflow.strategies.serving.latency_test

import data.scanflow.strategies.serving.latency

document(signal, ready) := {
	"signals": {"latency_p99_seconds": signal},
	"target": {"replicas": {"desired": 3, "ready": ready}},
	"params": {"latency_objective_seconds": 0.25},
}

test_adds_one_when_slow if {
	proposals := latency.propose with input as document({"state": "ok", "value": 0.3}, 3)
	{[p.with.replicas, p.reason] | some p in proposals} == {[4, "latency_above_objective"]}
}

test_waits[note] if {
	some note, row in {
		"while it is fast enough": {"signal": {"state": "ok", "value": 0.25}, "ready": 3},
		"while a replica is still starting": {"signal": {"state": "ok", "value": 3}, "ready": 2},
		"without a latency": {"signal": {"state": "empty"}, "ready": 3},
		"on a latency that is none": {"signal": {"state": "nan", "last": 3}, "ready": 3},
	}
	count(latency.propose) == 0 with input as document(row.signal, row.ready)
}

test_an_objective_that_is_none_adds_nothing[sprintf("%v", [objective])] if {
	some objective in [0, -1, "0.25", null]
	doc := object.union(document({"state": "ok", "value": 0.3}, 3), {"params": {"latency_objective_seconds": objective}})
	proposals := latency.propose with input as doc
	{[p.with, p.reason] | some p in proposals} == {[{"mistakes": ["params.latency_objective_seconds: is no number above 0"]}, "params_with_mistakes"]}
}
