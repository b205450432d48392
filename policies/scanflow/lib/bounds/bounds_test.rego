package scanflow.lib.bounds_test

import data.scanflow.lib.bounds

at(text) := time.parse_rfc3339_ns(text)

entries := [
	{"days": ["sat", "sun"], "from": "00:00", "until": "24:00", "min": 1, "max": 3},
	{"from": "08:00", "until": "20:00", "min": 3},
	{"from": "22:00", "until": "06:00", "max": 1},
]

default index(_, _) := -1

index(timezone, now) := bounds.current(entries, timezone, at(now))

test_the_first_that_holds_counts[note] if {
	some note, row in {
		"by day": {"zone": "UTC", "now": "2026-03-02T12:00:00Z", "want": 1},
		"by day of a weekend": {"zone": "UTC", "now": "2026-03-01T12:00:00Z", "want": 0},
		"between": {"zone": "UTC", "now": "2026-03-02T21:00:00Z", "want": -1},
		"by night": {"zone": "UTC", "now": "2026-03-02T23:00:00Z", "want": 2},
		"after midnight": {"zone": "UTC", "now": "2026-03-03T05:59:59Z", "want": 2},
		"at its end": {"zone": "UTC", "now": "2026-03-03T06:00:00Z", "want": -1},
		"the night before a weekend": {"zone": "UTC", "now": "2026-03-07T01:00:00Z", "want": 0},
		"by another clock": {"zone": "Europe/Madrid", "now": "2026-03-02T07:00:00Z", "want": 1},
		"by another clock, in summer": {"zone": "Europe/Madrid", "now": "2026-07-01T06:00:00Z", "want": 1},
		"by another clock, in winter": {"zone": "Europe/Madrid", "now": "2026-03-02T06:00:00Z", "want": -1},
	}
	index(row.zone, row.now) == row.want
}

test_problems[note] if {
	good := {"from": "08:00", "until": "20:00", "min": 1, "max": 3}
	numbers := "params.schedule[0]: min and max are no whole numbers with 0 <= min <= max; one of them may be absent"
	some note, row in {
		"none": {"entries": [good], "want": set()},
		"no entries": {"entries": [], "want": set()},
		"only min": {"entries": [object.remove(good, ["max"])], "want": set()},
		"only max": {"entries": [object.remove(good, ["min"])], "want": set()},
		"none at all": {"entries": [object.union(good, {"min": 0, "max": 0})], "want": set()},
		"no list": {"entries": good, "want": {"params.schedule: is no list of {from, until, min, max, days}"}},
		"a text": {"entries": "nightly", "want": {"params.schedule: is no list of {from, until, min, max, days}"}},
		"null": {"entries": null, "want": {"params.schedule: is no list of {from, until, min, max, days}"}},
		"neither min nor max": {"entries": [object.remove(good, ["min", "max"])], "want": {numbers}},
		"min above max": {"entries": [object.union(good, {"min": 4})], "want": {numbers}},
		"a part": {"entries": [object.union(good, {"min": 0.5})], "want": {numbers}},
		"below zero": {"entries": [object.union(good, {"min": -1})], "want": {numbers}},
		"a text for a number": {"entries": [object.union(good, {"max": "3"})], "want": {numbers}},
		"null for a number": {"entries": [object.union(good, {"max": null})], "want": {numbers}},
		"a time": {"entries": [good, object.union(good, {"from": "8:00"})], "want": {"params.schedule[1].from is no time of the day like 08:45 or 08:45:30"}},
		"a key": {"entries": [object.union(good, {"replicas": 3})], "want": {"params.schedule[0].replicas: there is no such key; there are from, until, min, max, days"}},
	}
	bounds.problems(row.entries, "UTC") == row.want
}

test_an_entry_that_is_no_object_is_named[note] if {
	some note, entry in {"a text": "08:00", "a list": ["08:00"], "null": null, "a number": 8}
	some problem in bounds.problems([entry], "UTC")
	startswith(problem, "params.schedule[0]")
}

test_a_time_zone_is_known if {
	entry := {"from": "08:00", "until": "20:00", "min": 1}
	bounds.problems([entry], "Europe/Bielefeld") == {"params.timezone: Europe/Bielefeld is no time zone"}
	bounds.problems([], "Europe/Bielefeld") == set()
}
