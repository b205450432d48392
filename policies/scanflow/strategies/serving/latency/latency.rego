# METADATA
# title: Scale by latency
# description: |
#   Adds a replica when the service is slower than its objective although all its
#   replicas are ready: the request rate alone does not show that each request
#   has become dearer.
# custom:
#   layer: infrastructure
#   signals:
#     latency_p99_seconds: 99th percentile of the request latency, in seconds
#   params:
#     latency_objective_seconds: what it should stay under
package scanflow.strategies.serving.latency

import data.scanflow.lib.params

# METADATA
# title: Latency above objective
# description: The objective is missed with all replicas ready.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	input.signals.latency_p99_seconds.value > input.params.latency_objective_seconds
	input.target.replicas.ready >= input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": input.target.replicas.desired + 1},
		"priority": 50,
		"reason": "latency_above_objective",
		"because": ["latency_p99_seconds"],
	}
}

# METADATA
# title: Params with mistakes
# description: |
#   A number makes no sense. The proposal names the mistakes in place of an act: it is
#   refused for its shape.
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

problems contains params.not_above_zero("latency_objective_seconds", input.params.latency_objective_seconds)
