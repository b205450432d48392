package scanflow.strategies.serving.autoscale_test

import data.scanflow.strategies.serving.autoscale

document(signal, replicas) := {
	"signals": {"requests_per_second": signal},
	"target": {"replicas": {"desired": replicas, "ready": replicas}},
	"params": {"requests_per_second_per_replica": 20},
}

load(value) := {"state": "ok", "value": value}

test_scales[note] if {
	some note, row in {
		"up, at once to what is needed": {"load": 61, "from": 1, "to": 4, "reason": "load_above_capacity"},
		"up by one": {"load": 20.5, "from": 1, "to": 2, "reason": "load_above_capacity"},
		"down, all the way": {"load": 5, "from": 4, "to": 1, "reason": "load_below_capacity"},
		"down to a size with room": {"load": 30, "from": 4, "to": 2, "reason": "load_below_capacity"},
		"up from zero": {"load": 0, "from": 0, "to": 1, "reason": "load_above_capacity"},
	}
	proposals := autoscale.propose with input as document(load(row.load), row.from)
	{[p.with.replicas, p.reason] | some p in proposals} == {[row.to, row.reason]}
}

test_stays[note] if {
	some note, row in {
		"at what is needed": {"load": 61, "from": 4},
		"when the smaller size would be too tight": {"load": 55, "from": 4},
		"at one without load": {"load": 0, "from": 1},
	}
	count(autoscale.propose) == 0 with input as document(load(row.load), row.from)
}

test_a_missing_load_is_not_zero[note] if {
	some note, signal in {
		"empty": {"state": "empty"},
		"nan": {"state": "nan", "last": 60},
		"stale": {"state": "stale", "last": 60},
		"error": {"state": "error", "last": 60},
	}
	count(autoscale.propose) == 0 with input as document(signal, 4)
}

test_share_is_a_parameter if {
	proposals := autoscale.propose with input as object.union(
		document(load(55), 4),
		{"params": {"requests_per_second_per_replica": 20, "scale_down_share": 1}},
	)
	{p.with.replicas | some p in proposals} == {3}
}

test_says_what_it_rests_on if {
	proposals := autoscale.propose with input as document(load(61), 1)
	every p in proposals { p.because == ["requests_per_second"] }
}

test_target_share_leaves_room[note] if {
	some note, row in {
		"up, before a replica is full": {"load": 33, "from": 2, "want": {[3, "load_above_capacity"]}},
		"not up, while the share is kept": {"load": 32, "from": 2, "want": set()},
		"down, to the share of the share": {"load": 25.6, "from": 3, "want": {[2, "load_below_capacity"]}},
		"not down, above it": {"load": 25.7, "from": 3, "want": set()},
	}
	doc := object.union(document(load(row.load), row.from), {"params": {"target_share": 0.8}})
	wants(doc) == row.want
}

wants(doc) := found if found := {[p.with.replicas, p.reason] | some p in autoscale.propose; p.reason != "params_with_mistakes"} with input as doc

# --- by the peak ---------------------------------------------------------------

peaked(signal, peak, replicas) := object.union(document(signal, replicas), {
	"signals": {"requests_per_second_peak": peak},
	"params": {"scale_down_by_peak": true},
})

test_by_the_peak[note] if {
	some note, row in {
		"up, whatever the peak was": {"load": 61, "peak": 61, "from": 1, "want": {[4, "load_above_capacity"]}},
		"up, by the load alone": {"load": 61, "peak": 200, "from": 3, "want": {[4, "load_above_capacity"]}},
		"not down, while the peak was high": {"load": 5, "peak": 61, "from": 4, "want": set()},
		"down to what the peak needs": {"load": 5, "peak": 30, "from": 4, "want": {[2, "peak_below_capacity"]}},
		"down all the way": {"load": 5, "peak": 5, "from": 4, "want": {[1, "peak_below_capacity"]}},
		"by the load, where it is above its peak": {"load": 30, "peak": 5, "from": 4, "want": {[2, "peak_below_capacity"]}},
		"at one": {"load": 0, "peak": 0, "from": 1, "want": set()},
	}
	wants(peaked(load(row.load), load(row.peak), row.from)) == row.want
}

test_a_missing_peak_is_not_zero[sprintf("%s, %s", [note, signal.state])] if {
	some signal in [{"state": "empty"}, {"state": "nan", "last": 5}, {"state": "stale", "last": 5}, {"state": "error", "last": 5}]
	some note, row in {
		"it does not go down": {"load": load(5), "want": set()},
		"it still goes up": {"load": load(81), "want": {[5, "load_above_capacity"]}},
		"nor without either": {"load": signal, "want": set()},
	}
	wants(peaked(row.load, signal, 4)) == row.want
}

test_a_missing_load_beside_a_peak[signal.state] if {
	some signal in [{"state": "empty"}, {"state": "nan", "last": 5}, {"state": "stale", "last": 5}, {"state": "error", "last": 5}]
	count(wants(peaked(signal, load(5), 4))) == 0
}

# A param that wants a signal which the agent does not have shows: the engine refuses
# what rests on it, by its name.
test_a_peak_that_is_not_declared_shows if {
	doc := object.union(document(load(30), 4), {"params": {"scale_down_by_peak": true}})
	proposals := autoscale.propose with input as doc
	{p.because | some p in proposals} == {["requests_per_second", "requests_per_second_peak"]}
}

test_without_the_param_the_peak_counts_for_nothing if {
	doc := object.union(peaked(load(30), load(61), 4), {"params": {"scale_down_by_peak": false}})
	wants(doc) == {[2, "load_below_capacity"]}
}

# By a share above 1 the smaller size would be too small for the load that it is for.
test_up_and_down_agree[sprintf("a load of %v from %d, share %v, by the peak: %v", [rate, from, part, by_peak])] if {
	some rate in [0, 20, 21, 55]
	some from in [1, 2, 4]
	some part in [0.5, 1, 1.5]
	some by_peak in [false, true]
	doc := object.union(peaked(load(rate), load(rate), from), {"params": {"scale_down_share": part, "scale_down_by_peak": by_peak}})
	every want in wants(doc) {
		to := want[0]
		count(wants(object.union(doc, {"target": {"replicas": {"desired": to, "ready": to}}}))) == 0
	}
}

test_mistakes_are_said[sprintf("%s: %v", [name, value])] if {
	some name, values in {
		"requests_per_second_per_replica": [0, -1],
		"target_share": [0, -1, 1.5],
		"scale_down_share": [0, -1, 1.5],
	}
	some value in values
	said(autoscale.propose, name) with input as object.union(document(load(5), 4), {"params": {name: value}})
}

said(proposals, name) if {
	some p in proposals
	p.reason == "params_with_mistakes"
	count(object.get(p.with, "mistakes", [])) == 1
	startswith(object.get(p.with, "mistakes", [""])[0], sprintf("params.%s: ", [name]))
}
