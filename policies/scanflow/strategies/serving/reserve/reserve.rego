# METADATA
# title: Reserve replicas ahead of a scheduled rise
# description: |
#   Where an autoscaler owns the replicas, sets its bounds by the clock, some time
#   before each window begins, and back when none holds. The autoscaler stays in
#   charge between them. Of windows that hold at once the one with the highest min
#   counts. It rests on no signal: it does the same when none can be measured.
# custom:
#   layer: infrastructure
#   signals: {}
#   params:
#     timezone: "the place whose clock the windows go by, as Europe/Berlin (UTC)"
#     windows: "a list of {from, until, min, max, days}: times are HH:MM or HH:MM:SS, until may be 24:00, and is the next day's where it is before from; days are those on which it begins, as [Mon, Tue], all if absent"
#     base: "{min, max} while no window holds"
#     lead_ns: how long before a window begins its bounds are set, at most 24 hours (0)
package scanflow.strategies.serving.reserve

import data.scanflow.lib.schedule

# METADATA
# title: Scheduled bounds
# description: The bounds that hold now. It changes nothing while they are set.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	count(open) > 0
	proposal := {
		"primitive": "autoscaler",
		"with": {"min": highest[0], "max": highest[1]},
		"priority": 60,
		"reason": "window_holds",
		"because": [],
	}
}

# METADATA
# title: Base bounds
# description: No window holds. It changes nothing while the bounds are set.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	count(open) == 0
	proposal := {
		"primitive": "autoscaler",
		"with": {"min": base.min, "max": base.max},
		"priority": 60,
		"reason": "no_window_holds",
		"because": [],
	}
}

# METADATA
# title: Params with mistakes
# description: |
#   A param is not what it should be, so that nobody knows which bounds are meant. The
#   proposal names the mistakes in place of bounds: it is refused for its shape, and
#   what is set stays.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) > 0
	proposal := {
		"primitive": "autoscaler",
		"with": {"mistakes": sort(problems)},
		"priority": 60,
		"reason": "params_with_mistakes",
		"because": [],
	}
}

timezone := object.get(input.params, "timezone", "UTC")

windows := object.get(input.params, "windows", [])

base := object.get(input.params, "base", {})

lead_ns := object.get(input.params, "lead_ns", 0)

open contains [window.min, window.max] if {
	some window in windows
	schedule.holds(window, timezone, input.now_ns, lead_ns)
}

# Of two with the same min, the one with more room.
highest := max(open)

problems contains sprintf("params.timezone: %v is no time zone", [timezone]) if not schedule.known(timezone)

problems contains "params.lead_ns: is no number of nanoseconds from 0 to 24 hours" if not is_lead

problems contains "params.windows: has none" if count(windows) == 0

problems contains sprintf("params.windows[%d].%s", [i, problem]) if {
	some i, window in windows
	some problem in schedule.problems(window)
}

problems contains sprintf("params.windows[%d]: min and max are no whole numbers with 0 <= min <= max and 1 <= max", [i]) if {
	some i, window in windows
	not bounds(window)
}

problems contains sprintf("params.windows[%d].%v: there is no such key", [i, key]) if {
	some i, window in windows
	some key, _ in window
	not key in {"from", "until", "to", "min", "max", "days"}
}

problems contains sprintf("params.base.%v: there is no such key", [key]) if {
	some key, _ in base
	not key in {"min", "max"}
}

problems contains "params.base: min and max are no whole numbers with 0 <= min <= max and 1 <= max" if not bounds(base)

is_lead if {
	is_number(lead_ns)
	lead_ns >= 0
	lead_ns <= 86400000000000
}

bounds(of) if {
	every key in ["min", "max"] {
		is_number(of[key])
		of[key] == floor(of[key])
	}
	of.min >= 0
	of.min <= of.max
	of.max >= 1
}
