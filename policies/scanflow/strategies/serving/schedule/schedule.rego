# METADATA
# title: Bound the replicas by the clock
# description: |
#   Keeps the replicas within the bounds that a schedule has for now: up to the min,
#   and down to the max. Between them it proposes nothing, so that another strategy may
#   size by load there; the guard `schedule` keeps that one within the bounds too. It
#   rests on no signal: it does the same when none can be measured.
# custom:
#   layer: infrastructure
#   signals: {}
#   params:
#     schedule: "a list of {from, until, min, max, days}, of which the first that holds counts: times are HH:MM or HH:MM:SS, until may be 24:00, and is the next day's where it is before from; days are those on which it begins, as [mon, tue], all if absent; min or max may be absent"
#     timezone: "the place whose clock it goes by, as Europe/Madrid (UTC)"
package scanflow.strategies.serving.schedule

import data.scanflow.lib.bounds

# METADATA
# title: Below the scheduled min
# description: There are fewer replicas than the schedule has for now.
# custom:
#   layer: infrastructure
propose contains proposal if {
	input.target.replicas.desired < holds.min
	proposal := {
		"primitive": "scale",
		"with": {"replicas": holds.min},
		"priority": 50,
		"reason": "below_scheduled_min",
		"because": [],
	}
}

# METADATA
# title: Above the scheduled max
# description: There are more replicas than the schedule has for now.
# custom:
#   layer: infrastructure
propose contains proposal if {
	input.target.replicas.desired > holds.max
	proposal := {
		"primitive": "scale",
		"with": {"replicas": holds.max},
		"priority": 50,
		"reason": "above_scheduled_max",
		"because": [],
	}
}

# METADATA
# title: Params with mistakes
# description: |
#   A param is not what it should be, so that nobody knows which bounds are meant, or
#   the target has no replicas to bound. The proposal names the mistakes in place of
#   replicas: it is refused for its shape.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) > 0
	proposal := {
		"primitive": "scale",
		"with": {"mistakes": sort(problems)},
		"priority": 0,
		"reason": "params_with_mistakes",
		"because": [],
	}
}

entries := object.get(input.params, "schedule", [])

timezone := object.get(input.params, "timezone", "UTC")

# The entry that holds.
holds := entries[bounds.current(entries, timezone, input.now_ns)] if count(bounds.problems(entries, timezone)) == 0

problems contains problem if some problem in bounds.problems(entries, timezone)

problems contains "params.schedule: has none" if count(entries) == 0

problems contains "target.replicas: are not known, so that they can't be bounded" if not is_number(object.get(input.target, ["replicas", "desired"], null))
