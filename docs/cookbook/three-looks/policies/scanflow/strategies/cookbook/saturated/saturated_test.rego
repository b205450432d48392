package scanflow.strategies.cookbook.saturated_test

import data.scanflow.strategies.cookbook.saturated

ok(value) := {"state": "ok", "value": value}

document(changes) := object.union(
	{
		"target": {"replicas": {"desired": 2, "ready": 2}},
		"signals": {"requests_per_second": ok(30), "latency_p99_seconds": ok(0.5), "queued": ok(4)},
		"params": {"requests_per_second_per_replica": 12.5, "latency_objective_seconds": 0.3},
		"memory": {},
	},
	changes,
)

seen(looks) := {"memory": {"cookbook.saturated": {"remembered": {"looks": looks}}}}

test_waits_for_the_third_look[note] if {
	some note, row in {
		"the first": {"memory": {}, "looks": 1, "proposals": 0},
		"the second": {"memory": seen(1), "looks": 2, "proposals": 0},
		"the third": {"memory": seen(2), "looks": 3, "proposals": 1},
		"a later one": {"memory": seen(3), "looks": 3, "proposals": 1},
	}
	remembered := saturated.remember with input as document(row.memory)
	remembered.looks == row.looks
	count(saturated.propose) == row.proposals with input as document(row.memory)
}

test_begins_anew[note] if {
	some note, signals in {
		"with less load": {"requests_per_second": ok(25)},
		"fast enough": {"latency_p99_seconds": ok(0.3)},
		"with nothing that waits": {"queued": ok(0)},
		"without a latency": {"latency_p99_seconds": {"state": "empty", "value": null}},
	}
	doc := document(object.union(seen(2), {"signals": signals}))
	remembered := saturated.remember with input as doc
	remembered.looks == 0
	count(saturated.propose) == 0 with input as doc
}
