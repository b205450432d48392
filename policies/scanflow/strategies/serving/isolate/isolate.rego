# METADATA
# title: Keep batch work away from an online service
# description: |
#   Places the batch work of a template away from the nodes that run an online
#   service's pods: what runs already is moved when the service is too slow and shares
#   a node with it, and what is to come, from the start, where that is wanted.
# custom:
#   layer: infrastructure
#   signals:
#     latency_p99_seconds: 99th percentile of the request latency, in seconds
#     colocated: how many pods of batch work share a node with the target
#   params:
#     latency_objective_seconds: what the latency should stay under, in seconds
#     batch_template: name of the WorkflowTemplate of the batch work
#     online_labels: labels of the online service's pods
#     from_the_start: "true: what begins later is placed apart too, before anything is slow (false)"
package scanflow.strategies.serving.isolate

import data.scanflow.lib.params

# METADATA
# title: Shares its node
# description: The service misses its objective, and batch work shares a node with it.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	input.signals.latency_p99_seconds.value > input.params.latency_objective_seconds
	input.signals.colocated.value > 0
	proposal := {
		"primitive": "place",
		"with": object.union(apart, {"move": true}),
		"priority": 60,
		"reason": "shares_its_node",
		"because": ["latency_p99_seconds", "colocated"],
	}
}

# METADATA
# title: Apart from the start
# description: |
#   The template says that its pods stay away from the service's. It changes nothing
#   once that is so.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	object.get(input.params, "from_the_start", false)
	proposal := {
		"primitive": "place",
		"with": apart,
		"priority": 40,
		"reason": "apart_from_the_start",
		"because": [],
	}
}

# METADATA
# title: Params with mistakes
# description: |
#   A param makes no sense. The proposal names the mistakes in place of an act: it is
#   refused for its shape. Without a template the service itself would be placed.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) > 0
	proposal := {
		"primitive": "place",
		"with": {"mistakes": sort(problems)},
		"priority": 0,
		"reason": "params_with_mistakes",
		"because": [],
	}
}

apart := {
	"template": input.params.batch_template,
	"antiAffinity": {"matchLabels": input.params.online_labels, "required": true},
}

problems contains params.not_above_zero("latency_objective_seconds", input.params.latency_objective_seconds)

problems contains params.not_a_name("batch_template", input.params.batch_template)

problems contains params.not_labels("online_labels", input.params.online_labels)
