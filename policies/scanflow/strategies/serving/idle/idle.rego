# METADATA
# title: Scale to zero while idle, and back at the first arrival
# description: |
#   Takes the last replicas of a service away once nothing has arrived at its entrance
#   for a while, and brings it back as soon as something does. Beside a strategy that
#   sizes by load, such as `serving.autoscale`, that one goes first while there are
#   replicas, and this one says how many there are from zero.
# custom:
#   layer: infrastructure
#   signals:
#     arrivals: "requests that arrived at the entrance over the last while, counted also where no pod is ready; a while is the window of its query"
#   params:
#     idle_ns: how long nothing must have arrived, and how long a service that was woken stays awake; a shorter window of `arrivals` does not show it (10 minutes)
#     wake_replicas: replicas that the service is woken with (1)
#     allow_scale_to_zero: the guard `scale_to_zero` wants it to be true (false)
package scanflow.strategies.serving.idle

import data.scanflow.lib.memory
import data.scanflow.lib.params

# METADATA
# title: Idle
# description: |
#   Nothing has arrived for long enough. What the load needs goes first, by its
#   priority, so that this takes away the last replicas alone.
# custom:
#   layer: infrastructure
propose contains proposal if {
	input.target.replicas.desired > 0
	quiet
	memory.rested("serving.idle", "scale", idle_ns)
	proposal := {
		"primitive": "scale",
		"with": {"replicas": 0},
		"priority": 5,
		"reason": "nothing_arrives",
		"because": ["arrivals"],
	}
}

# METADATA
# title: Still idle
# description: |
#   Nothing has arrived, and there are no replicas. This changes nothing, but keeps
#   another strategy from holding one replica for no load.
# custom:
#   layer: infrastructure
propose contains proposal if {
	input.target.replicas.desired == 0
	object.get(input.params, "allow_scale_to_zero", false)
	input.signals.arrivals.value == 0
	proposal := {
		"primitive": "scale",
		"with": {"replicas": 0},
		"priority": 70,
		"reason": "still_nothing_arrives",
		"because": ["arrivals"],
	}
}

# METADATA
# title: Arrival
# description: Something has arrived, and there are no replicas.
# custom:
#   layer: infrastructure
propose contains proposal if {
	input.target.replicas.desired == 0
	input.signals.arrivals.value > 0
	proposal := {
		"primitive": "scale",
		"with": {"replicas": max([1, wake_replicas])},
		"priority": 70,
		"reason": "requests_arrive",
		"because": ["arrivals"],
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

idle_ns := object.get(input.params, "idle_ns", 600000000000)

wake_replicas := object.get(input.params, "wake_replicas", 1)

# A count over less than that shows nothing of the time before.
quiet if {
	input.signals.arrivals.value == 0
	idle_ns >= 0
	input.signals.arrivals.window >= idle_ns
}

problems contains params.below_zero("idle_ns", idle_ns)

problems contains params.not_a_count("wake_replicas", wake_replicas, 1)
