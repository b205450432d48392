package scanflow.guards.freeze_test

import data.scanflow.guards.freeze

document(now, strategy) := {"now_ns": time.parse_rfc3339_ns(now), "proposal": {"strategy": strategy}}

# The summer of 2026 ends in Madrid on 25 October, a Sunday.
test_denies[note] if {
	some note, now in {
		"from Friday 18:00 on": "2026-12-04T18:00:00+01:00",
		"on Sunday": "2026-12-06T12:00:00+01:00",
		"until Monday 06:00": "2026-12-07T05:59:59+01:00",
		"in summer": "2026-07-03T18:00:00+02:00",
		"an hour later by UTC once summer has ended": "2026-10-26T04:59:59Z",
	}
	count(freeze.deny) == 1 with input as document(now, "cookbook.follow")
}

test_admits[note] if {
	some note, row in {
		"before Friday 18:00": {"now": "2026-12-04T17:59:59+01:00", "strategy": "cookbook.follow"},
		"from Monday 06:00 on": {"now": "2026-12-07T06:00:00+01:00", "strategy": "cookbook.follow"},
		"from Monday 06:00 on, in winter": {"now": "2026-10-26T05:00:00Z", "strategy": "cookbook.follow"},
		"on Wednesday": {"now": "2026-12-09T12:00:00+01:00", "strategy": "cookbook.follow"},
		"a rollback on Sunday": {"now": "2026-12-06T12:00:00+01:00", "strategy": "serving.rollback"},
	}
	count(freeze.deny) == 0 with input as document(row.now, row.strategy)
}
