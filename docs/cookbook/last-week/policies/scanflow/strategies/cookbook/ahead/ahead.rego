# METADATA
# title: Scale ahead of last week's load
# description: |
#   Keeps as many replicas as the load of now needs, and as that of the next ten minutes a week ago
#   did. Where nothing was measured a week ago, a floor takes the place of the latter. Where that
#   is not known (an error, an old value), nothing is proposed.
# custom:
#   layer: infrastructure
#   signals:
#     requests_per_second: requests per second that arrive now
#     requests_per_second_last_week: the most of the ten minutes that follow, a week ago
#   params:
#     requests_per_second_per_replica: what one replica takes
#     replicas_without_history: the fewest replicas where nothing was measured a week ago
package scanflow.strategies.cookbook.ahead

# METADATA
# title: As last week
# description: The load of a week ago is known.
# custom:
#   layer: infrastructure
propose contains proposal if {
	wanted := max([replicas(input.signals.requests_per_second.value), replicas(input.signals.requests_per_second_last_week.value)])
	wanted != input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": wanted},
		"priority": 50,
		"reason": "load_now_or_last_week",
		"because": ["requests_per_second", "requests_per_second_last_week"],
	}
}

# METADATA
# title: Without history
# description: Nothing was measured a week ago.
# custom:
#   layer: infrastructure
propose contains proposal if {
	input.signals.requests_per_second_last_week.state == "empty"
	wanted := max([replicas(input.signals.requests_per_second.value), input.params.replicas_without_history])
	wanted != input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": wanted},
		"priority": 50,
		"reason": "load_now_without_history",
		"because": ["requests_per_second", "requests_per_second_last_week:empty"],
	}
}

replicas(load) := ceil(load / input.params.requests_per_second_per_replica)
