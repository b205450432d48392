# METADATA
# title: Restart the pod that answers nothing
# description: |
#   Restarts one pod that is ready and answers no request while the other pods of its
#   workload answer: a server that hangs behind a probe that it still passes. An idle
#   service, and an outage of all pods, restart nothing. Of several such pods the one that
#   has been ready for the longest comes first; the others wait for the next turn.
# custom:
#   layer: infrastructure
#   signals:
#     answered: "requests that each pod answers per second, by the pod's name"
#     in_flight: "requests that each pod has and has not answered, by the pod's name; only where `in_flight` is set"
#   params:
#     grace_ns: how long a pod has to be ready before it is judged (2 minutes)
#     others_per_second: requests per second that the other ready pods have to answer, on average (0.1)
#     in_flight: "requests that the pod has to have in flight; 0: they are not looked at (0)"
#     only_ready: "true: a pod is restarted also where no other is ready; needs `in_flight` (false)"
package scanflow.strategies.serving.unstick

import data.scanflow.lib.params

# METADATA
# title: Answers nothing
# description: The pod answers nothing, and the others answer.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	in_flight == 0
	proposal := {
		"primitive": "restart",
		"with": {"pod": first(silent_beside_others)},
		"priority": 60,
		"reason": "ready_and_answers_nothing",
		"because": ["answered"],
	}
}

# METADATA
# title: Answers nothing of what it has
# description: The pod has requests and answers none, and the others answer.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	in_flight > 0
	proposal := {
		"primitive": "restart",
		"with": {"pod": first([pod | some pod in silent_beside_others; has_requests(pod)])},
		"priority": 60,
		"reason": "ready_and_answers_nothing",
		"because": ["answered", "in_flight"],
	}
}

# METADATA
# title: The only ready pod answers nothing
# description: The pod has requests and answers none, and no other is ready.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	in_flight > 0
	only_ready
	count(ready) == 1
	proposal := {
		"primitive": "restart",
		"with": {"pod": first([pod | some pod in silent; has_requests(pod)])},
		"priority": 60,
		"reason": "only_pod_answers_nothing",
		"because": ["answered", "in_flight"],
	}
}

# METADATA
# title: Params with mistakes
# description: |
#   A param makes no sense. The proposal names the mistakes in place of an act: it is
#   refused for its shape.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) > 0
	proposal := {
		"primitive": "restart",
		"with": {"mistakes": sort(problems)},
		"priority": 0,
		"reason": "params_with_mistakes",
		"because": [],
	}
}

ready := [pod | some pod in input.target.pods; pod.ready]

# Silence is measured: a pod that the signal does not have is not judged.
silent := [pod |
	some pod in ready
	input.signals.answered.value[pod.name] == 0
	input.now_ns - object.get(pod, "ready_since_ns", pod.started_ns) >= grace_ns
]

silent_beside_others := [pod |
	some pod in silent
	others := [rate |
		some other in ready
		other.name != pod.name
		rate := input.signals.answered.value[other.name]
	]
	count(others) > 0
	sum(others) >= count(others) * others_per_second
	sum(others) > 0
]

has_requests(pod) if requests[pod.name] >= in_flight

# By object.get, so that an agent without the signal may use this strategy too. Where the
# param wants it and the agent lacks it, the proposal is made, and refused by its name.
requests := object.get(object.get(input.signals, "in_flight", {"value": assumed}), "value", {})

assumed := {pod.name: in_flight | some pod in ready}

# The one that has been ready for the longest; of two, the first by name.
first(pods) := min([[object.get(pod, "ready_since_ns", pod.started_ns), pod.name] | some pod in pods])[1]

grace_ns := object.get(input.params, "grace_ns", 120000000000)

others_per_second := object.get(input.params, "others_per_second", 0.1)

in_flight := object.get(input.params, "in_flight", 0)

only_ready := object.get(input.params, "only_ready", false)

problems contains params.below_zero("grace_ns", grace_ns)

problems contains params.below_zero("others_per_second", others_per_second)

problems contains params.below_zero("in_flight", in_flight)

problems contains "params.only_ready: needs params.in_flight above 0, which shows that the only pod has requests" if {
	only_ready
	in_flight == 0
}
