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
