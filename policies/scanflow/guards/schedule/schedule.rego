# METADATA
# title: Bounds by the clock
# description: |
#   Keeps the replicas that any strategy asks for within the bounds that the agent's
#   param `schedule` has for now, as `serving.schedule` reads it. An agent without that
#   param is not bound. A schedule with a mistake denies, and says which entry has it.
# custom:
#   verbs: [scale]
package scanflow.guards.schedule

import data.scanflow.lib.bounds

# METADATA
# title: Scheduled bounds
# description: The reason says which entry holds.
clamp contains object.union({"with": "replicas", "reason": sprintf("params.schedule[%d]", [i])}, object.filter(entries[i], ["min", "max"])) if {
	count(problems) == 0
	i := bounds.current(entries, timezone, input.now_ns)
}

# METADATA
# title: A schedule with mistakes
# description: Nobody knows which bounds are meant.
deny contains problem if some problem in problems

entries := object.get(input.params, "schedule", [])

timezone := object.get(input.params, "timezone", "UTC")

problems := bounds.problems(entries, timezone)
