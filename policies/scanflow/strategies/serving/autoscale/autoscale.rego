# METADATA
# title: Scale by request rate
# description: |
#   Keeps the replicas of a serving workload at what its request rate needs. It
#   scales up as soon as the load asks for it, and down only when the load would
#   leave the smaller size with room to spare, so that a swinging load does not
#   make the replicas swing.
# custom:
#   layer: infrastructure
#   signals:
#     requests_per_second: requests per second that the target receives
#   params:
#     requests_per_second_per_replica: what one replica takes
#     scale_down_share: share of that which may be used after scaling down (0.8)
package scanflow.strategies.serving.autoscale

import data.scanflow.lib.capacity

# METADATA
# title: Load above capacity
# description: The load needs more replicas than there are.
# custom:
#   layer: infrastructure
propose contains proposal if {
	wanted := capacity.replicas(
		input.signals.requests_per_second.value,
		input.params.requests_per_second_per_replica,
	)
	wanted > input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": wanted},
		"priority": 60,
		"reason": "load_above_capacity",
		"because": ["requests_per_second"],
	}
}

# METADATA
# title: Load below capacity
# description: A smaller size would serve the load, with room to spare.
# custom:
#   layer: infrastructure
propose contains proposal if {
	share := object.get(input.params, "scale_down_share", 0.8)
	wanted := capacity.replicas(
		input.signals.requests_per_second.value,
		input.params.requests_per_second_per_replica * share,
	)
	wanted < input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": wanted},
		"priority": 10,
		"reason": "load_below_capacity",
		"because": ["requests_per_second"],
	}
}
