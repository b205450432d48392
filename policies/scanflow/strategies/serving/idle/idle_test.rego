package scanflow.strategies.serving.idle_test

import data.scanflow.guards.scale_to_zero
import data.scanflow.strategies.serving.autoscale
import data.scanflow.strategies.serving.idle

minute_ns := 60000000000

now_ns := 100000 * minute_ns

counted(value) := {"state": "ok", "value": value, "window": 10 * minute_ns}

document(arrivals, replicas) := {
	"now_ns": now_ns,
	"signals": {"arrivals": arrivals},
	"target": {"replicas": {"desired": replicas, "ready": replicas}},
	"params": {"allow_scale_to_zero": true},
	"memory": {},
}

scaled(minutes) := {"memory": {"serving.idle": {"last": {"scale": {"at_ns": now_ns - (minutes * minute_ns), "outcome": "done"}}}}}

wants(doc) := found if found := {[p.with.replicas, p.reason] | some p in idle.propose; p.reason != "params_with_mistakes"} with input as doc

test_sleeps_and_wakes[note] if {
	some note, row in {
		"sleeps when nothing has arrived": {"arrivals": 0, "from": 1, "want": {[0, "nothing_arrives"]}},
		"from any size": {"arrivals": 0, "from": 4, "want": {[0, "nothing_arrives"]}},
		"sleeps on": {"arrivals": 0, "from": 0, "want": {[0, "still_nothing_arrives"]}},
		"wakes at the first arrival": {"arrivals": 1, "from": 0, "want": {[1, "requests_arrive"]}},
		"wakes at what a rate makes of it": {"arrivals": 0.02, "from": 0, "want": {[1, "requests_arrive"]}},
		"stays awake": {"arrivals": 1, "from": 1, "want": set()},
	}
	wants(document(counted(row.arrivals), row.from)) == row.want
}

test_when_is_it_idle[note] if {
	some note, row in {
		"by ten minutes, if nothing is said": {"params": {}, "window": 10, "awake": 60, "want": {0}},
		"not by less": {"params": {}, "window": 9, "awake": 60, "want": set()},
		"by what is said": {"params": {"idle_ns": 5 * minute_ns}, "window": 5, "awake": 60, "want": {0}},
		"not by the count of an instant": {"params": {}, "window": 0, "awake": 60, "want": set()},
		"it has been awake long enough": {"params": {}, "window": 10, "awake": 10, "want": {0}},
		"it has only just been woken": {"params": {}, "window": 10, "awake": 9, "want": set()},
	}
	signal := {"state": "ok", "value": 0, "window": row.window * minute_ns}
	doc := object.union_n([document(signal, 1), {"params": row.params}, scaled(row.awake)])
	{want | some [want, _] in wants(doc)} == row.want
}

test_wakes_with_as_many_as_are_said if {
	wants(object.union(document(counted(3), 0), {"params": {"wake_replicas": 2}})) == {[2, "requests_arrive"]}
}

# None would leave it asleep for ever, and nothing would say so.
test_wakes_with_one_at_least[sprintf("%v", [replicas])] if {
	some replicas in [0, -1]
	wants(object.union(document(counted(3), 0), {"params": {"wake_replicas": replicas}})) == {[1, "requests_arrive"]}
}

test_a_time_below_zero_is_none[sprintf("%v", [awake])] if {
	some awake in [0, 1]
	doc := object.union_n([document({"state": "ok", "value": 0, "window": 0}, 1), {"params": {"idle_ns": 0 - minute_ns}}, scaled(awake)])
	count(wants(doc)) == 0
}

test_an_unknown_count_is_not_zero[sprintf("%s, from %d", [signal.state, replicas])] if {
	some signal in [
		{"state": "empty", "window": 10 * minute_ns},
		{"state": "nan", "last": 0, "window": 10 * minute_ns},
		{"state": "stale", "last": 0, "window": 10 * minute_ns},
		{"state": "error", "last": 0, "window": 10 * minute_ns},
	]
	some replicas in [0, 1, 4]
	count(wants(document(signal, replicas))) == 0
}

test_a_size_that_is_not_known_is_left if {
	count(wants(object.remove(document(counted(0), 1), ["target"]))) == 0
}

# Where the agent may not, the last replica stays, by the guard, which says so; and
# the target of whoever took it away is left to the other strategies.
test_without_leave[note] if {
	some note, row in {
		"the guard refuses it": {"from": 1, "want": {[0, "nothing_arrives"]}},
		"it is not kept at zero": {"from": 0, "want": set()},
	}
	doc := object.union(document(counted(0), row.from), {"params": {"allow_scale_to_zero": false}})
	wants(doc) == row.want
	every p in {q | some [replicas, _] in row.want; q := {"primitive": "scale", "with": {"replicas": replicas}}} {
		scale_to_zero.deny == {"last_replica"} with input as {"proposal": p, "params": doc.params}
	}
}

# --- beside serving.autoscale -------------------------------------------------

# winner is what the arbiter leaves of the two: the higher priority.
winner(doc) := found if {
	by_idle := idle.propose with input as doc
	by_load := autoscale.propose with input as doc
	both := by_idle | by_load
	found := {[p.with.replicas, p.reason] | some p in both; p.priority == max({q.priority | some q in both})}
}

test_beside_autoscale[note] if {
	some note, row in {
		"asleep, and nothing arrives": {"arrivals": counted(0), "load": {"state": "ok", "value": 0}, "from": 0, "want": {[0, "still_nothing_arrives"]}},
		"asleep, and the pods' own count is gone": {"arrivals": counted(0), "load": {"state": "empty"}, "from": 0, "want": {[0, "still_nothing_arrives"]}},
		"asleep, and something arrives": {"arrivals": counted(9), "load": {"state": "ok", "value": 90}, "from": 0, "want": {[1, "requests_arrive"]}},
		"awake, and then by load": {"arrivals": counted(9), "load": {"state": "ok", "value": 90}, "from": 1, "want": {[5, "load_above_capacity"]}},
		"quiet, and larger than one": {"arrivals": counted(0), "load": {"state": "ok", "value": 0}, "from": 4, "want": {[1, "load_below_capacity"]}},
		"quiet, and one is left": {"arrivals": counted(0), "load": {"state": "ok", "value": 0}, "from": 1, "want": {[0, "nothing_arrives"]}},
		"quiet for less than a while": {"arrivals": counted(3), "load": {"state": "ok", "value": 0}, "from": 1, "want": set()},
		"a load, whatever the entrance says": {"arrivals": counted(0), "load": {"state": "ok", "value": 90}, "from": 1, "want": {[5, "load_above_capacity"]}},
		"awake, and the entrance is not seen": {"arrivals": {"state": "stale"}, "load": {"state": "ok", "value": 0}, "from": 1, "want": set()},
		"asleep, and the entrance is not seen: one, to be safe": {"arrivals": {"state": "stale"}, "load": {"state": "ok", "value": 0}, "from": 0, "want": {[1, "load_above_capacity"]}},
		"asleep, and nothing is seen": {"arrivals": {"state": "stale"}, "load": {"state": "stale"}, "from": 0, "want": set()},
	}
	doc := object.union(document(row.arrivals, row.from), {
		"signals": {"requests_per_second": row.load},
		"params": {"requests_per_second_per_replica": 20},
	})
	winner(doc) == row.want
}

test_mistakes_are_said[sprintf("%s: %v", [name, value])] if {
	some name, values in {
		"idle_ns": [-1],
		"wake_replicas": [0, -1, 1.5],
	}
	some value in values
	said(idle.propose, name) with input as object.union(document(counted(0), 4), {"params": {name: value}})
}

said(proposals, name) if {
	some p in proposals
	p.reason == "params_with_mistakes"
	count(object.get(p.with, "mistakes", [])) == 1
	startswith(object.get(p.with, "mistakes", [""])[0], sprintf("params.%s: ", [name]))
}
