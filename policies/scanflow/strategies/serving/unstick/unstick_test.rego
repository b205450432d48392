package scanflow.strategies.serving.unstick_test

import data.scanflow.strategies.serving.unstick

minute := 60000000000

now := 1000 * minute

# A pod that has been ready for some minutes.
pod(name, minutes) := {"name": name, "ready": true, "restarts": 0, "started_ns": now - ((minutes + 1) * minute), "ready_since_ns": now - (minutes * minute)}

unready(name) := {"name": name, "ready": false, "restarts": 3, "started_ns": now - (60 * minute)}

ok(value) := {"state": "ok", "value": value}

document(pods, answered) := {
	"now_ns": now,
	"signals": {"answered": answered},
	"target": {"pods": pods},
	"params": {},
}

with_params(doc, params) := object.union(doc, {"params": params})

with_in_flight(doc, signal) := object.union(doc, {"signals": {"in_flight": signal}})

three := [pod("a", 10), pod("b", 10), pod("c", 10)]

stuck := document(three, ok({"a": 5, "b": 0, "c": 4}))

test_restarts_the_one_that_answers_nothing if {
	unstick.propose == {{
		"primitive": "restart", "with": {"pod": "b"}, "priority": 60,
		"reason": "ready_and_answers_nothing", "because": ["answered"],
	}} with input as stuck
}

test_chooses[note] if {
	some note, row in {
		"the one that is ready for the longest": {"pods": [pod("a", 10), pod("b", 5), pod("c", 8)], "answered": {"a": 5, "b": 0, "c": 0}, "want": "c"},
		"of two, the first by name": {"pods": three, "answered": {"a": 0, "b": 9, "c": 0}, "want": "a"},
		"one of many, while few answer": {"pods": array.concat(three, [pod("d", 20)]), "answered": {"a": 0, "b": 0, "c": 0, "d": 9}, "want": "a"},
		"also beside one that is not ready": {"pods": [pod("a", 10), pod("b", 10), unready("c")], "answered": {"a": 0, "b": 9}, "want": "a"},
		"one whose time of readiness is not known": {"pods": [pod("a", 10), object.remove(pod("b", 10), ["ready_since_ns"])], "answered": {"a": 1, "b": 0}, "want": "b"},
		"a pod, whatever the signal has of others": {"pods": three, "answered": {"a": 5, "b": 0, "c": 4, "z": 0}, "want": "b"},
	}
	proposals := unstick.propose with input as document(row.pods, ok(row.answered))
	{p.with.pod | some p in proposals} == {row.want}
}

test_leaves_alone[note] if {
	some note, doc in {
		"pods that all answer": document(three, ok({"a": 5, "b": 0.01, "c": 4})),
		"an idle service": document(three, ok({"a": 0, "b": 0, "c": 0})),
		"an outage of all pods but one that is idle too": document(three, ok({"a": 0, "b": 0})),
		"a service with next to no requests": document(three, ok({"a": 0.05, "b": 0, "c": 0.05})),
		"a pod that became ready a moment ago": document([pod("a", 10), pod("b", 1), pod("c", 10)], ok({"a": 5, "b": 0, "c": 4})),
		"a pod that is not ready": document([pod("a", 10), unready("b")], ok({"a": 5, "b": 0})),
		"a pod that the signal does not have": document(three, ok({"a": 5, "c": 4})),
		"the only pod": document([pod("b", 10)], ok({"b": 0})),
		"the only ready pod": document([unready("a"), pod("b", 10)], ok({"a": 5, "b": 0})),
		"a pod beside ones that are not measured": document(three, ok({"b": 0})),
		"no pods": document([], ok({"b": 0})),
		"pods that are not known": object.remove(stuck, ["target"]),
		"a signal that is empty": document(three, {"state": "empty"}),
		"a signal that is stale": document(three, {"state": "stale", "last": {"a": 5, "b": 0, "c": 4}}),
		"a signal that failed": document(three, {"state": "error", "last": {"a": 5, "b": 0, "c": 4}}),
		"a longer grace": with_params(stuck, {"grace_ns": 11 * minute}),
		"others that answer too little": with_params(stuck, {"others_per_second": 4.6}),
		"a pod without a request in flight": with_in_flight(with_params(stuck, {"in_flight": 1}), ok({"a": 3, "b": 0, "c": 3})),
		"fewer in flight than wanted": with_in_flight(with_params(stuck, {"in_flight": 4}), ok({"a": 3, "b": 3, "c": 3})),
		"in flight, not measured": with_in_flight(with_params(stuck, {"in_flight": 1}), {"state": "stale", "last": {"b": 9}}),
		"in flight, of others alone": with_in_flight(with_params(stuck, {"in_flight": 1}), ok({"a": 3})),
	}
	count(unstick.propose) == 0 with input as doc
}

test_waits_for_requests_in_flight if {
	unstick.propose == {{
		"primitive": "restart", "with": {"pod": "b"}, "priority": 60,
		"reason": "ready_and_answers_nothing", "because": ["answered", "in_flight"],
	}} with input as with_in_flight(with_params(stuck, {"in_flight": 3}), ok({"a": 0, "b": 3, "c": 0}))
}

# The one with requests is the one that is stuck.
test_takes_the_one_with_requests if {
	doc := with_in_flight(with_params(document(three, ok({"a": 0, "b": 9, "c": 0})), {"in_flight": 1}), ok({"a": 0, "b": 1, "c": 7}))
	proposals := unstick.propose with input as doc
	{p.with.pod | some p in proposals} == {"c"}
}

# Without the signal that its param wants, the proposal is refused by the signal's name.
test_a_signal_that_is_missing_is_named if {
	proposals := unstick.propose with input as with_params(stuck, {"in_flight": 3})
	{p.because | some p in proposals} == {["answered", "in_flight"]}
}

test_the_only_ready_pod[note] if {
	some note, row in {
		"where it may": {"params": {"in_flight": 1, "only_ready": true}, "pods": [unready("a"), pod("b", 10)], "requests": {"b": 2}, "want": {["b", "only_pod_answers_nothing"]}},
		"not without requests": {"params": {"in_flight": 1, "only_ready": true}, "pods": [pod("b", 10)], "requests": {"b": 0}, "want": set()},
		"not at once": {"params": {"in_flight": 1, "only_ready": true}, "pods": [pod("b", 1)], "requests": {"b": 2}, "want": set()},
		"not where nobody said so": {"params": {"in_flight": 1}, "pods": [pod("b", 10)], "requests": {"b": 2}, "want": set()},
		"not in an outage of several": {"params": {"in_flight": 1, "only_ready": true}, "pods": three, "requests": {"a": 2, "b": 2, "c": 2}, "want": set()},
	}
	doc := with_in_flight(with_params(document(row.pods, ok({"a": 0, "b": 0, "c": 0})), row.params), ok(row.requests))
	proposals := unstick.propose with input as doc
	{[p.with.pod, p.reason] | some p in proposals} == row.want
}

test_mistakes_are_named[note] if {
	some note, row in {
		"grace": {"params": {"grace_ns": -1}, "want": ["params.grace_ns: is no number of 0 or more"]},
		"a text": {"params": {"grace_ns": "2m"}, "want": ["params.grace_ns: is no number of 0 or more"]},
		"others": {"params": {"others_per_second": -0.5}, "want": ["params.others_per_second: is no number of 0 or more"]},
		"requests": {"params": {"in_flight": null}, "want": ["params.in_flight: is no number of 0 or more"]},
		"only ready": {"params": {"only_ready": true}, "want": ["params.only_ready: needs params.in_flight above 0, which shows that the only pod has requests"]},
	}
	proposals := unstick.propose with input as with_params(stuck, row.params)
	{[p.with, p.reason] | some p in proposals} == {[{"mistakes": row.want}, "params_with_mistakes"]}
}
