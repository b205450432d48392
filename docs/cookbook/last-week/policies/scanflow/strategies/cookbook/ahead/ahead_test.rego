package scanflow.strategies.cookbook.ahead_test

import data.scanflow.strategies.cookbook.ahead

ok(value) := {"state": "ok", "value": value}

document(now, last_week) := {
	"target": {"replicas": {"desired": 2, "ready": 2}},
	"signals": {"requests_per_second": now, "requests_per_second_last_week": last_week},
	"params": {"requests_per_second_per_replica": 10, "replicas_without_history": 3},
}

test_scales[note] if {
	some note, row in {
		"ahead of a rise": {"now": ok(15), "last_week": ok(72), "replicas": 8},
		"with the load of now": {"now": ok(41), "last_week": ok(5), "replicas": 5},
		"to the floor without history": {"now": ok(15), "last_week": {"state": "empty"}, "replicas": 3},
		"above the floor without history": {"now": ok(55), "last_week": {"state": "empty"}, "replicas": 6},
	}
	proposals := ahead.propose with input as document(row.now, row.last_week)
	{p["with"].replicas | some p in proposals} == {row.replicas}
}

test_waits[note] if {
	some note, row in {
		"where the size is right": {"now": ok(15), "last_week": ok(20)},
		"where the history can't be read": {"now": ok(15), "last_week": {"state": "error"}},
		"where the load of now is not known": {"now": {"state": "stale", "last": 15}, "last_week": ok(72)},
	}
	count(ahead.propose) == 0 with input as document(row.now, row.last_week)
}
