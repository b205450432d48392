package scanflow.strategies.serving.standby_test

import data.scanflow.strategies.serving.standby

ok(value) := {"state": "ok", "value": value}

# The backup takes 20 requests per second a replica, the primary 10.
document(now, least, load, own, desired) := {
	"signals": {
		"primary_ready_replicas": now,
		"primary_ready_replicas_min": least,
		"requests_per_second": load,
		"backup_requests_per_second": own,
	},
	"target": {"replicas": {"desired": desired, "ready": desired}},
	"params": {"backup_requests_per_second_per_replica": 20, "primary_requests_per_second_per_replica": 10, "standby_replicas": 2},
}

wants(doc) := found if found := {[p.with.replicas, p.reason] | some p in standby.propose; p.reason != "params_with_mistakes"} with input as doc

test_sizes[note] if {
	some note, row in {
		"for all, when the primary is gone": {"now": 0, "least": 0, "load": 90, "own": 0, "from": 2, "want": {[5, "primary_not_ready"]}},
		"for all, when the primary is short": {"now": 8, "least": 8, "load": 90, "own": 0, "from": 2, "want": {[5, "primary_short"]}},
		"and no more than that": {"now": 0, "least": 0, "load": 90, "own": 90, "from": 5, "want": set()},
		"not, while the primary just carries the load": {"now": 9, "least": 9, "load": 90, "own": 0, "from": 2, "want": set()},
		"to what stands by, when the primary is gone without a load": {"now": 0, "least": 0, "load": 0, "own": 0, "from": 1, "want": {[2, "primary_not_ready"], [2, "backup_load_above_capacity"], [2, "too_few_stand_by"]}},
		"to what stands by": {"now": 9, "least": 9, "load": 20, "own": 0, "from": 0, "want": {[2, "backup_load_above_capacity"], [2, "too_few_stand_by"]}},
		"up with its own load": {"now": 9, "least": 9, "load": 90, "own": 41, "from": 2, "want": {[3, "backup_load_above_capacity"]}},
		"down once the traffic has left": {"now": 9, "least": 9, "load": 90, "own": 0, "from": 5, "want": {[2, "primary_ready_for_a_while"]}},
		"down to what it still gets": {"now": 9, "least": 9, "load": 90, "own": 50, "from": 5, "want": {[3, "primary_ready_for_a_while"]}},
		"not down, before a while has passed": {"now": 9, "least": 0, "load": 90, "own": 0, "from": 5, "want": set()},
		"not down, before the primary has been large enough for a while": {"now": 9, "least": 8, "load": 90, "own": 0, "from": 5, "want": set()},
		"not down, once the primary is gone again": {"now": 0, "least": 9, "load": 90, "own": 0, "from": 5, "want": set()},
		"not down, while it gets all": {"now": 9, "least": 9, "load": 90, "own": 90, "from": 5, "want": set()},
	}
	wants(document(ok(row.now), ok(row.least), ok(row.load), ok(row.own), row.from)) == row.want
}

test_a_primary_of_no_known_size_carries_all[note] if {
	some note, row in {
		"one is enough": {"now": 1, "least": 1, "load": 90, "from": 1, "want": set()},
		"and for the way down": {"now": 1, "least": 1, "load": 90, "from": 5, "want": {[1, "primary_ready_for_a_while"]}},
		"none is not": {"now": 0, "least": 0, "load": 90, "from": 1, "want": {[5, "primary_not_ready"]}},
	}
	base := document(ok(row.now), ok(row.least), ok(row.load), ok(0), row.from)
	doc := object.union(object.remove(base, ["params"]), {"params": {"backup_requests_per_second_per_replica": 20}})
	wants(doc) == row.want
}

# Where one signal is missing, what rests on it is not proposed.
test_holds_on_missing_data[sprintf("%s, %s", [note, signal.state])] if {
	some signal in [{"state": "empty"}, {"state": "nan", "last": 0}, {"state": "stale", "last": 0}, {"state": "error", "last": 0}]
	some note, row in {
		"gone, without the primary": {"doc": document(signal, ok(0), ok(90), ok(0), 2), "want": set()},
		"gone, without its least": {"doc": document(ok(0), signal, ok(90), ok(0), 2), "want": {[5, "primary_not_ready"]}},
		"gone, without the load": {"doc": document(ok(0), ok(0), signal, ok(0), 2), "want": set()},
		"gone, without its own load": {"doc": document(ok(0), ok(0), ok(90), signal, 2), "want": {[5, "primary_not_ready"]}},
		"short, without the primary": {"doc": document(signal, ok(8), ok(90), ok(0), 2), "want": set()},
		"short, without the load": {"doc": document(ok(8), ok(8), signal, ok(0), 2), "want": set()},
		"back, without the primary": {"doc": document(signal, ok(9), ok(90), ok(0), 5), "want": set()},
		"back, without its least": {"doc": document(ok(9), signal, ok(90), ok(0), 5), "want": set()},
		"back, without the load": {"doc": document(ok(9), ok(9), signal, ok(0), 5), "want": set()},
		"back, without its own load": {"doc": document(ok(9), ok(9), ok(90), signal, 5), "want": set()},
		"too few, without anything": {"doc": document(signal, signal, signal, signal, 1), "want": {[2, "too_few_stand_by"]}},
	}
	wants(row.doc) == row.want
}

test_without_a_load_a_primary_of_no_known_size_keeps_the_backup if {
	base := document(ok(1), ok(1), {"state": "stale", "last": 0}, ok(0), 5)
	count(wants(object.union(object.remove(base, ["params"]), {"params": {"backup_requests_per_second_per_replica": 20}}))) == 0
}

test_a_size_that_is_not_known_is_left if {
	count(wants(object.remove(document(ok(0), ok(0), ok(90), ok(90), 2), ["target"]))) == 0
}

# The text "0" is no number, and shows neither a loss nor a recovery.
test_a_text_is_no_number[note] if {
	some note, row in {
		"now": {"doc": document(ok("0"), ok(9), ok(90), ok(0), 5)},
		"lately": {"doc": document(ok(9), ok("0"), ok(90), ok(0), 5)},
		"both": {"doc": document(ok("0"), ok("0"), ok(90), ok(0), 5)},
	}
	every primary in [0, 10] {
		count(wants(object.union(row.doc, {"params": {"primary_requests_per_second_per_replica": primary}}))) == 0
	}
}

test_mistakes_are_said[sprintf("%s: %v", [name, value])] if {
	some name, values in {
		"backup_requests_per_second_per_replica": [0, -1],
		"primary_requests_per_second_per_replica": [-1],
		"standby_replicas": [-1, 1.5],
	}
	some value in values
	said(standby.propose, name) with input as object.union(document(ok(9), ok(9), ok(90), ok(0), 2), {"params": {name: value}})
}

test_a_primary_below_zero_is_of_no_known_size if {
	doc := object.union(document(ok(1), ok(1), ok(90), ok(0), 5), {"params": {"primary_requests_per_second_per_replica": -1}})
	wants(doc) == {[2, "primary_ready_for_a_while"]}
}

said(proposals, name) if {
	some p in proposals
	p.reason == "params_with_mistakes"
	count(object.get(p.with, "mistakes", [])) == 1
	startswith(object.get(p.with, "mistakes", [""])[0], sprintf("params.%s: ", [name]))
}
