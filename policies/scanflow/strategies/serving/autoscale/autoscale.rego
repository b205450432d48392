# METADATA
# title: Scale by request rate
# description: |
#   Keeps the replicas of a serving workload at what its request rate needs. It
#   scales up as soon as the load asks for it, and down only when the load would
#   leave the smaller size with room to spare, so that a swinging load does not
#   make the replicas swing. With the load's peak as a signal it scales down to what
#   the peak needs, so that the replicas are still there for the next burst.
# custom:
#   layer: infrastructure
#   signals:
#     requests_per_second: requests per second that arrive for the target
#     requests_per_second_peak: "the most that it was over the time that the replicas are to be kept for; only where `scale_down_by_peak` is set"
#   params:
#     requests_per_second_per_replica: what one replica takes, as measured
#     target_share: share of that which is used before there are more replicas (1)
#     scale_down_share: share of what is used then that may be used after scaling down (0.8)
#     scale_down_by_peak: "true: down to what requests_per_second_peak needs, and not at all where it is not known (false)"
package scanflow.strategies.serving.autoscale

import data.scanflow.lib.capacity
import data.scanflow.lib.params

# METADATA
# title: Load above capacity
# description: The load needs more replicas than there are.
# custom:
#   layer: infrastructure
propose contains proposal if {
	wanted := capacity.replicas(input.signals.requests_per_second.value, each)
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
	not by_peak
	share <= 1
	wanted := capacity.replicas(input.signals.requests_per_second.value, each * share)
	wanted < input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": wanted},
		"priority": 10,
		"reason": "load_below_capacity",
		"because": ["requests_per_second"],
	}
}

# METADATA
# title: Peak below capacity
# description: A smaller size would have served the load's peak, with room to spare.
# custom:
#   layer: infrastructure
propose contains proposal if {
	by_peak
	peak >= 0
	share <= 1
	most := max([input.signals.requests_per_second.value, peak])
	wanted := capacity.replicas(most, each * share)
	wanted < input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": wanted},
		"priority": 10,
		"reason": "peak_below_capacity",
		"because": ["requests_per_second", "requests_per_second_peak"],
	}
}

# METADATA
# title: Params with mistakes
# description: |
#   A number makes no sense. The proposal names the mistakes in place of an act: it is
#   refused for its shape. What does not need that number goes on.
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

each := input.params.requests_per_second_per_replica * target_share

target_share := object.get(input.params, "target_share", 1)

# Above 1, the smaller size would be too small for the load, and come and go.
share := object.get(input.params, "scale_down_share", 0.8)

by_peak if object.get(input.params, "scale_down_by_peak", false)

# By object.get, so that an agent without it may use this strategy too. Where the param
# wants it and the agent lacks it, the proposal is made, and refused by its name.
peak := object.get(object.get(input.signals, "requests_per_second_peak", {"value": 0}), "value", -1)

problems contains params.not_above_zero("requests_per_second_per_replica", input.params.requests_per_second_per_replica)

problems contains params.not_a_share("target_share", target_share)

problems contains params.not_a_share("scale_down_share", share)
