package scanflow.strategies.serving.reserve_test

import data.scanflow.strategies.serving.reserve

minute_ns := 60000000000

params := {
	"timezone": "Europe/Berlin",
	"windows": [
		{"from": "08:45", "until": "12:00", "min": 4, "max": 10, "days": ["Mon", "Tue", "Wed", "Thu", "Fri"]},
		{"from": "11:00", "until": "11:30:30", "min": 6, "max": 8},
		{"from": "22:00", "until": "02:00", "min": 0, "max": 1},
	],
	"lead_ns": 15 * minute_ns,
	"base": {"min": 1, "max": 3},
}

document(now, changes) := {"now_ns": time.parse_rfc3339_ns(now), "params": object.union(params, changes)}

wants(doc) := found if found := {[p.with.min, p.with.max, p.reason] | some p in reserve.propose} with input as doc

# 2 March 2026 is a Monday.
test_sets_the_bounds_that_hold[note] if {
	some note, row in {
		"before the lead": {"now": "2026-03-02T08:29:59+01:00", "want": [1, 3, "no_window_holds"]},
		"in the lead": {"now": "2026-03-02T08:30:00+01:00", "want": [4, 10, "window_holds"]},
		"in the window": {"now": "2026-03-02T09:00:00+01:00", "want": [4, 10, "window_holds"]},
		"in two, the higher min": {"now": "2026-03-02T11:00:00+01:00", "want": [6, 8, "window_holds"]},
		"in one again": {"now": "2026-03-02T11:30:30+01:00", "want": [4, 10, "window_holds"]},
		"at its end": {"now": "2026-03-02T12:00:00+01:00", "want": [1, 3, "no_window_holds"]},
		"on another day": {"now": "2026-03-01T09:00:00+01:00", "want": [1, 3, "no_window_holds"]},
		"in one over midnight": {"now": "2026-03-03T01:59:59+01:00", "want": [0, 1, "window_holds"]},
	}
	wants(document(row.now, {})) == {row.want}
}

test_what_is_not_said[note] if {
	some note, row in {
		"the clock of UTC": {"gone": "timezone", "now": "2026-03-02T08:31:00Z", "want": [4, 10, "window_holds"]},
		"no lead": {"gone": "lead_ns", "now": "2026-03-02T08:44:59+01:00", "want": [1, 3, "no_window_holds"]},
	}
	doc := json.remove(document(row.now, {}), [sprintf("params/%s", [row.gone])])
	wants(doc) == {row.want}
}

test_the_same_min_with_more_room if {
	windows := [
		{"from": "08:00", "until": "10:00", "min": 4, "max": 6},
		{"from": "08:00", "until": "10:00", "min": 4, "max": 9},
	]
	wants(document("2026-03-02T09:00:00+01:00", {"windows": windows})) == {[4, 9, "window_holds"]}
}

test_mistakes_are_said_in_place_of_bounds[note] if {
	good := {"from": "08:45", "until": "12:00", "min": 4, "max": 10}
	bounds := "min and max are no whole numbers with 0 <= min <= max and 1 <= max"
	some note, row in {
		"a time zone": {"params": {"timezone": "Europe/Bielefeld"}, "want": ["params.timezone: Europe/Bielefeld is no time zone"]},
		"a time": {"params": {"windows": [good, object.union(good, {"from": "8:45"})]}, "want": ["params.windows[1].from is no time of the day like 08:45 or 08:45:30"]},
		"a misspelt key": {"params": {"windows": [object.union(good, {"day": ["Mon"]})]}, "want": ["params.windows[0].day: there is no such key"]},
		"a min above the max": {"params": {"windows": [object.union(good, {"min": 11})]}, "want": [sprintf("params.windows[0]: %s", [bounds])]},
		"a min below zero": {"params": {"windows": [object.union(good, {"min": -1})]}, "want": [sprintf("params.windows[0]: %s", [bounds])]},
		"a max of none": {"params": {"windows": [object.union(good, {"min": 0, "max": 0})]}, "want": [sprintf("params.windows[0]: %s", [bounds])]},
		"a part of a replica": {"params": {"windows": [object.union(good, {"min": 1.5})]}, "want": [sprintf("params.windows[0]: %s", [bounds])]},
		"a number in quotes": {"params": {"windows": [object.union(good, {"max": "10"})]}, "want": [sprintf("params.windows[0]: %s", [bounds])]},
		"no max": {"params": {"windows": [object.remove(good, ["max"])]}, "want": [sprintf("params.windows[0]: %s", [bounds])]},
		"no windows": {"params": {"windows": []}, "want": ["params.windows: has none"]},
		"a lead below zero": {"params": {"lead_ns": -1}, "want": ["params.lead_ns: is no number of nanoseconds from 0 to 24 hours"]},
		"a lead of more than a day": {"params": {"lead_ns": 1441 * minute_ns}, "want": ["params.lead_ns: is no number of nanoseconds from 0 to 24 hours"]},
		"a lead in quotes": {"params": {"lead_ns": "0"}, "want": ["params.lead_ns: is no number of nanoseconds from 0 to 24 hours"]},
		"a base without a max": {"params": {"base": {"max": "3"}}, "want": [sprintf("params.base: %s", [bounds])]},
		"a misspelt key of the base": {"params": {"base": {"mxa": 4}}, "want": ["params.base.mxa: there is no such key"]},
		"two at once": {"params": {"lead_ns": -1, "windows": []}, "want": ["params.lead_ns: is no number of nanoseconds from 0 to 24 hours", "params.windows: has none"]},
	}
	proposals := reserve.propose with input as document("2026-03-02T09:00:00+01:00", row.params)
	{[p.with, p.reason] | some p in proposals} == {[{"mistakes": row.want}, "params_with_mistakes"]}
}

test_params_that_are_not_there_are_said if {
	proposals := reserve.propose with input as {"now_ns": 0, "params": {}}
	{p.with.mistakes | some p in proposals} == {[
		"params.base: min and max are no whole numbers with 0 <= min <= max and 1 <= max",
		"params.windows: has none",
	]}
}

# It rests on no signal, so that no state of one can keep it from its bounds.
test_rests_on_no_signal[state] if {
	some state in ["empty", "nan", "stale", "error"]
	doc := object.union(document("2026-03-02T09:00:00+01:00", {}), {"signals": {"requests_per_second": {"state": state}}})
	proposals := reserve.propose with input as doc
	{[p.with, p.because] | some p in proposals} == {[{"min": 4, "max": 10}, []]}
}
