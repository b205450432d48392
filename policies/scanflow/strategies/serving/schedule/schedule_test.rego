package scanflow.strategies.serving.schedule_test

import data.scanflow.strategies.serving.schedule

entries := [
	{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "until": "20:00", "min": 3, "max": 9},
	{"from": "22:00", "until": "06:00", "max": 1},
]

document(desired, now) := {
	"now_ns": time.parse_rfc3339_ns(now),
	"params": {"schedule": entries, "timezone": "Europe/Madrid"},
	"target": {"namespace": "digits", "name": "digits", "replicas": {"desired": desired, "ready": desired}},
}

scales(reason, replicas) := {{"primitive": "scale", "with": {"replicas": replicas}, "priority": 50, "reason": reason, "because": []}}

test_keeps_the_bounds[note] if {
	some note, row in {
		"below the min": {"desired": 2, "now": "2026-03-02T12:00:00+01:00", "want": scales("below_scheduled_min", 3)},
		"from zero": {"desired": 0, "now": "2026-03-02T12:00:00+01:00", "want": scales("below_scheduled_min", 3)},
		"at the min": {"desired": 3, "now": "2026-03-02T12:00:00+01:00", "want": set()},
		"at the max": {"desired": 9, "now": "2026-03-02T12:00:00+01:00", "want": set()},
		"above the max": {"desired": 12, "now": "2026-03-02T12:00:00+01:00", "want": scales("above_scheduled_max", 9)},
		"just before": {"desired": 2, "now": "2026-03-02T07:59:59+01:00", "want": set()},
		"by night, over midnight": {"desired": 4, "now": "2026-03-03T01:00:00+01:00", "want": scales("above_scheduled_max", 1)},
		"by night, without a min": {"desired": 0, "now": "2026-03-03T01:00:00+01:00", "want": set()},
		"on a weekend": {"desired": 1, "now": "2026-03-01T12:00:00+01:00", "want": set()},
		"in summer": {"desired": 2, "now": "2026-07-01T08:00:00+02:00", "want": scales("below_scheduled_min", 3)},
		"after the short night": {"desired": 4, "now": "2026-03-29T05:59:59+02:00", "want": scales("above_scheduled_max", 1)},
		"at the end of the short night": {"desired": 4, "now": "2026-03-29T06:00:00+02:00", "want": set()},
		"in the hour that comes twice": {"desired": 4, "now": "2026-10-25T02:30:00+01:00", "want": scales("above_scheduled_max", 1)},
	}
	schedule.propose == row.want with input as document(row.desired, row.now)
}

test_names_mistakes[note] if {
	good := document(2, "2026-03-02T12:00:00+01:00")
	some note, row in {
		"an entry": {"params": {"schedule": [object.union(entries[0], {"from": 800})]}, "want": ["params.schedule[0].from is no time of the day like 08:45 or 08:45:30"]},
		"no entries": {"params": {}, "want": ["params.schedule: has none"]},
		"no list": {"params": {"schedule": "nightly"}, "want": ["params.schedule: is no list of {from, until, min, max, days}"]},
	}
	some proposal in schedule.propose with input as object.union(object.remove(good, ["params"]), {"params": row.params})
	proposal.reason == "params_with_mistakes"
	proposal.with == {"mistakes": row.want}
	count(schedule.propose) == 1 with input as object.union(object.remove(good, ["params"]), {"params": row.params})
}

test_a_target_without_replicas_is_named if {
	known := document(2, "2026-03-02T12:00:00+01:00")
	some proposal in schedule.propose with input as object.union(object.remove(known, ["target"]), {"target": {"namespace": "digits", "name": "digits"}})
	proposal.with == {"mistakes": ["target.replicas: are not known, so that they can't be bounded"]}
}
