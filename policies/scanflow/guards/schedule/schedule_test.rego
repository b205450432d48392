package scanflow.guards.schedule_test

import data.scanflow.guards.schedule

weekdays := {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "until": "20:00", "min": 3, "max": 9}

document(params, now) := {
	"now_ns": time.parse_rfc3339_ns(now),
	"params": params,
	"proposal": {"agent": "digits/scaler", "primitive": "scale", "with": {"replicas": 1}},
}

test_clamps[note] if {
	some note, row in {
		"while an entry holds": {"now": "2026-03-02T12:00:00Z", "params": {"schedule": [weekdays]}, "want": {{"with": "replicas", "min": 3, "max": 9, "reason": "params.schedule[0]"}}},
		"by the clock of the place": {"now": "2026-03-02T07:30:00Z", "params": {"schedule": [weekdays], "timezone": "Europe/Madrid"}, "want": {{"with": "replicas", "min": 3, "max": 9, "reason": "params.schedule[0]"}}},
		"the first entry that holds": {"now": "2026-03-02T12:00:00Z", "params": {"schedule": [object.union(weekdays, {"days": ["sun"]}), {"from": "00:00", "until": "24:00", "max": 2}]}, "want": {{"with": "replicas", "max": 2, "reason": "params.schedule[1]"}}},
		"nothing where none holds": {"now": "2026-03-02T07:30:00Z", "params": {"schedule": [weekdays]}, "want": set()},
		"nothing of an agent without a schedule": {"now": "2026-03-02T12:00:00Z", "params": {"timezone": "nowhere"}, "want": set()},
	}
	schedule.clamp == row.want with input as document(row.params, row.now)
	count(schedule.deny) == 0 with input as document(row.params, row.now)
}

test_a_schedule_with_mistakes_denies if {
	params := {"schedule": [weekdays, object.union(weekdays, {"min": "3"})]}
	schedule.deny == {"params.schedule[1]: min and max are no whole numbers with 0 <= min <= max; one of them may be absent"} with input as document(params, "2026-03-02T12:00:00Z")
	count(schedule.clamp) == 0 with input as document(params, "2026-03-02T12:00:00Z")
}
