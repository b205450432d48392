# METADATA
# title: Size the backup of a failover
# description: |
#   Keeps a few replicas of the backup standing by, and gives it as many as the whole
#   load needs as soon as the primary can't carry that, so that it has grown by the
#   time that it gets everything. It is small again once the primary has been ready
#   for a while and the traffic has left the backup. The target is the backup.
# custom:
#   layer: infrastructure
#   signals:
#     primary_ready_replicas: ready replicas of the primary now
#     primary_ready_replicas_min: the fewest there were over the time that counts as a while
#     requests_per_second: requests per second that arrive at the route, for either
#     backup_requests_per_second: "requests per second that the backup gets: the most over a while"
#   params:
#     backup_requests_per_second_per_replica: what one replica of the backup takes, in requests per second
#     primary_requests_per_second_per_replica: "what one replica of the primary takes, in requests per second; 0: one that is ready carries all (0)"
#     standby_replicas: replicas that the backup has at least (1)
package scanflow.strategies.serving.standby

import data.scanflow.lib.capacity
import data.scanflow.lib.params

# METADATA
# title: Primary gone
# description: No replica of the primary is ready, and the backup is too small for the load.
# custom:
#   layer: infrastructure
propose contains proposal if {
	input.signals.primary_ready_replicas.value == 0
	whole > input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": whole},
		"priority": 90,
		"reason": "primary_not_ready",
		"because": ["primary_ready_replicas", "requests_per_second"],
	}
}

# METADATA
# title: Primary short
# description: The primary has too few replicas for the load, and so has the backup.
# custom:
#   layer: infrastructure
propose contains proposal if {
	positive(input.signals.primary_ready_replicas.value)
	carried := input.signals.primary_ready_replicas.value * primary_each
	carried > 0
	carried < input.signals.requests_per_second.value
	whole > input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": whole},
		"priority": 90,
		"reason": "primary_short",
		"because": ["primary_ready_replicas", "requests_per_second"],
	}
}

# METADATA
# title: Backup busy
# description: What the backup gets is more than it carries, whatever the primary does.
# custom:
#   layer: infrastructure
propose contains proposal if {
	own > input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": own},
		"priority": 60,
		"reason": "backup_load_above_capacity",
		"because": ["backup_requests_per_second"],
	}
}

# METADATA
# title: Too few stand by
# description: The backup has fewer replicas than are to stand by, whatever is measured.
# custom:
#   layer: infrastructure
propose contains proposal if {
	standing > input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": standing},
		"priority": 30,
		"reason": "too_few_stand_by",
		"because": [],
	}
}

# METADATA
# title: Primary back
# description: |
#   The primary has carried the load for a while, and the backup is larger than what it
#   still gets needs.
# custom:
#   layer: infrastructure
propose contains proposal if {
	positive(input.signals.primary_ready_replicas.value)
	positive(input.signals.primary_ready_replicas_min.value)
	enough
	own < input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": own},
		"priority": 10,
		"reason": "primary_ready_for_a_while",
		"because": ["primary_ready_replicas", "primary_ready_replicas_min", "requests_per_second", "backup_requests_per_second"],
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

# The backup's size for all of the load, and for what it gets itself.
whole := max([standing, capacity.replicas(input.signals.requests_per_second.value, backup_each)])

own := max([standing, capacity.replicas(input.signals.backup_requests_per_second.value, backup_each)])

standing := object.get(input.params, "standby_replicas", 1)

backup_each := input.params.backup_requests_per_second_per_replica

primary_each := max([0, object.get(input.params, "primary_requests_per_second_per_replica", 0)])

enough if {
	primary_each == 0
	is_number(input.signals.requests_per_second.value)
}

enough if {
	primary_each > 0
	input.signals.requests_per_second.value <= input.signals.primary_ready_replicas_min.value * primary_each
}

# A text is above every number, and "0" is no number.
positive(value) if {
	is_number(value)
	value > 0
}

problems contains params.not_above_zero("backup_requests_per_second_per_replica", backup_each)

problems contains params.below_zero("primary_requests_per_second_per_replica", object.get(input.params, "primary_requests_per_second_per_replica", 0))

problems contains params.not_a_count("standby_replicas", standing, 0)
