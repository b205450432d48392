package scanflow.strategies.serving.failover_test

import data.scanflow.strategies.serving.failover

document(now, lately) := {
	"signals": {"ready_replicas": now, "ready_replicas_min": lately},
	"params": {"route": "digits", "primary": "large", "backup": "small"},
}

ok(value) := {"state": "ok", "value": value}

test_shifts[note] if {
	some note, row in {
		"to the backup when the primary is gone": {"now": ok(0), "lately": ok(0), "weights": {"large": 0, "small": 100}},
		"to the backup at once": {"now": ok(0), "lately": ok(2), "weights": {"large": 0, "small": 100}},
		"back when the primary has been there for a while": {"now": ok(2), "lately": ok(1), "weights": {"large": 100, "small": 0}},
	}
	proposals := failover.propose with input as document(row.now, row.lately)
	{p.with.weights | some p in proposals} == {row.weights}
}

test_waits[note] if {
	some note, row in {
		"until the primary has been there for a while": {"now": ok(2), "lately": ok(0)},
		"without knowing": {"now": {"state": "error", "last": 0}, "lately": ok(0)},
		"without having seen anything": {"now": {"state": "empty"}, "lately": {"state": "empty"}},
	}
	count(failover.propose) == 0 with input as document(row.now, row.lately)
}

test_names_the_kind_of_route[note] if {
	some note, row in {
		"of the Gateway API, if nothing is said": {"params": {}, "kind": "HTTPRoute"},
		"of Istio": {"params": {"route_kind": "VirtualService"}, "kind": "VirtualService"},
	}
	gone := document(ok(0), ok(0))
	proposals := failover.propose with input as object.union(gone, {"params": row.params})
	{[p.with.kind, p.with.route] | some p in proposals} == {[row.kind, "digits"]}
}
