# METADATA
# title: Bounds by the clock
# description: |
#   The entries of the param `schedule`: windows as in scanflow.lib.schedule, each with
#   a `min`, a `max` or both. The first one that holds counts.
package scanflow.lib.bounds

import data.scanflow.lib.schedule

# METADATA
# title: The entry that counts
# description: Its index. Undefined where none holds.
current(entries, timezone, now_ns) := min([i |
	some i, entry in entries
	schedule.holds(entry, timezone, now_ns, 0)
])

# METADATA
# title: Problems of a schedule
# description: |
#   What is wrong with it, in words, by entry; the empty set where nothing is. A time
#   zone that is not known is an error.
problems(entries, timezone) := union({
	{"params.schedule: is no list of {from, until, min, max, days}" | not is_array(entries)},
	{sprintf("params.schedule[%d].%s", [i, problem]) |
		some i, entry in list(entries)
		some problem in schedule.problems(entry)
	},
	{sprintf("params.schedule[%d].%v: there is no such key; there are from, until, min, max, days", [i, key]) |
		some i, entry in list(entries)
		some key, _ in entry
		not key in {"from", "until", "to", "min", "max", "days"}
	},
	{sprintf("params.schedule[%d]: min and max are no whole numbers with 0 <= min <= max; one of them may be absent", [i]) |
		some i, entry in list(entries)
		not bounded(entry)
	},
	{sprintf("params.timezone: %v is no time zone", [timezone]) |
		count(list(entries)) > 0
		not schedule.known(timezone)
	},
})

list(entries) := entries if is_array(entries)

list(entries) := [] if not is_array(entries)

bounded(entry) if {
	is_object(entry)
	given := object.filter(entry, ["min", "max"])
	count(given) > 0
	every _, n in given {
		is_number(n)
		n == floor(n)
		n >= 0
	}
	object.get(given, "min", 0) <= object.get(given, "max", object.get(given, "min", 0))
}
