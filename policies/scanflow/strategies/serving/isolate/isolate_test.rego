package scanflow.strategies.serving.isolate_test

import data.scanflow.strategies.serving.isolate

ok(value) := {"state": "ok", "value": value}

document(latency, colocated, params) := {
	"signals": {"latency_p99_seconds": latency, "colocated": colocated},
	"params": object.union(
		{"latency_objective_seconds": 0.25, "batch_template": "offline", "online_labels": {"app": "classifier"}},
		params,
	),
}

apart := {
	"template": "offline",
	"antiAffinity": {"matchLabels": {"app": "classifier"}, "required": true},
}

moved := {
	"primitive": "place",
	"with": object.union(apart, {"move": true}),
	"priority": 60,
	"reason": "shares_its_node",
	"because": ["latency_p99_seconds", "colocated"],
}

placed := {
	"primitive": "place",
	"with": apart,
	"priority": 40,
	"reason": "apart_from_the_start",
	"because": [],
}

test_places_batch_work[note] if {
	some note, row in {
		"it is slow, and shares a node": {"latency": 0.3, "colocated": 1, "params": {}, "want": {moved}},
		"it is slow, and shares no node": {"latency": 0.3, "colocated": 0, "params": {}, "want": set()},
		"it is as slow as it may be": {"latency": 0.25, "colocated": 4, "params": {}, "want": set()},
		"it is fast": {"latency": 0.1, "colocated": 4, "params": {}, "want": set()},
		"from the start": {"latency": 0.1, "colocated": 0, "params": {"from_the_start": true}, "want": {placed}},
		"from the start, and it is slow": {"latency": 0.3, "colocated": 1, "params": {"from_the_start": true}, "want": {placed, moved}},
		"not from the start": {"latency": 0.1, "colocated": 0, "params": {"from_the_start": false}, "want": set()},
	}
	proposals := isolate.propose with input as document(ok(row.latency), ok(row.colocated), row.params)
	proposals == row.want
}

test_holds_on_missing_data[sprintf("%s, %s", [note, signal.state])] if {
	some signal in [{"state": "empty"}, {"state": "nan", "last": 3}, {"state": "stale", "last": 3}, {"state": "error", "last": 3}]
	some note, row in {
		"without a latency": {"doc": document(signal, ok(1), {}), "want": set()},
		"without knowing what is beside it": {"doc": document(ok(0.3), signal, {}), "want": set()},
		"without either": {"doc": document(signal, signal, {}), "want": set()},
		"from the start it rests on neither": {"doc": document(signal, signal, {"from_the_start": true}), "want": {placed}},
	}
	proposals := isolate.propose with input as row.doc
	proposals == row.want
}

# Of a template without a name the service itself would be placed, away from itself.
test_params_with_mistakes_place_nothing[sprintf("%s: %v", [name, value])] if {
	some name, values in {
		"latency_objective_seconds": [0, -1, "0.25", null],
		"batch_template": ["", " ", null, 5],
		"online_labels": [{}, null, "app", {"app": 1}],
	}
	some value in values
	base := document(ok(0.3), ok(1), {"from_the_start": true})
	doc := object.union(object.remove(base, ["params"]), {"params": object.union(object.remove(base.params, [name]), {name: value})})
	proposals := isolate.propose with input as doc
	{p.reason | some p in proposals} == {"params_with_mistakes"}
	every p in proposals {
		count(object.get(p.with, "mistakes", [])) == 1
		startswith(object.get(p.with, "mistakes", [""])[0], sprintf("params.%s: ", [name]))
	}
}
