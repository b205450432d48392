# METADATA
# title: Saturated for three looks
# description: |
#   Adds a replica where the load, the latency and the queue are too high at three looks in a row.
#   One look at which one of them is not, or is not known, begins the count anew.
# custom:
#   layer: infrastructure
#   signals:
#     requests_per_second: requests per second that arrive for the target
#     latency_p99_seconds: 99th percentile of the latency, in seconds
#     queued: requests that wait for a replica
#   params:
#     requests_per_second_per_replica: what one replica takes
#     latency_objective_seconds: what the latency should stay under
package scanflow.strategies.cookbook.saturated

# METADATA
# title: Saturated
# description: This is the third look in a row, or a later one.
# custom:
#   layer: infrastructure
propose contains proposal if {
	looks >= 3
	proposal := {
		"primitive": "scale",
		"with": {"replicas": input.target.replicas.desired + 1},
		"priority": 60,
		"reason": "saturated_for_three_looks",
		"because": ["requests_per_second", "latency_p99_seconds", "queued"],
	}
}

# What is remembered of each target, whether or not something is proposed.
remember := {"looks": looks}

default looks := 0

looks := min([3, before + 1]) if saturated

before := object.get(input.memory, ["cookbook.saturated", "remembered", "looks"], 0)

saturated if {
	input.signals.requests_per_second.value > input.params.requests_per_second_per_replica * input.target.replicas.ready
	input.signals.latency_p99_seconds.value > input.params.latency_objective_seconds
	input.signals.queued.value > 0
}
