# METADATA
# title: Check predictions, and ask for a retraining
# description: |
#   Runs the detector when asked to, and asks for a retraining when enough critical
#   samples have gathered: found by more than one detection, among enough
#   predictions, of which more than a model wavers over anyhow are critical, and no
#   more often than the budget allows. A request that no training came of is made
#   again, out of the same budget.
# custom:
#   layer: application
#   signals:
#     critical: critical samples picked since the mark `retrained`
#     above: critical samples found since the mark `retrained`, picked or not
#     detections: detections since the mark `retrained`
#     scored: predictions that those detections scored
#     trainings: trainings that ended well since the mark `retrained`
#     drift: "the distribution against its reference, as a sensor of kind drift gives it; only where `psi` is set"
#   params:
#     detect_template: the workflow that detects (detect)
#     detect_parameters: its parameters, beside until_ms
#     critical: how many critical samples are not yet worth a retraining (50)
#     detections: detections that they must come from (2)
#     samples: the fewest predictions to judge by (500)
#     share: the part of what was scored that must be critical (0.1)
#     psi: "with a sensor `drift`: the population stability index that it must have reached, as 0.1"
#     interval_ns: pause between two requests (1 hour)
#     ask_again_ns: how long a request may go unanswered (1 hour)
#     retrains: requests in retrains_per_ns (4)
#     retrains_per_ns: the span that they are counted in (24 hours)
package scanflow.strategies.modeldebug.check

import data.scanflow.lib.memory
import data.scanflow.lib.request

# METADATA
# title: Check requested
# description: |
#   Predictions are to be scored up to a time. One run covers every request for a
#   time that is not later, however often such a request is delivered.
# custom:
#   layer: application
propose contains proposal if {
	request.about("dev.scanflow.check.requested")
	until_ms := input.trigger.event.data.until_ms
	is_number(until_ms)
	until_ms > covered_ms
	proposal := {
		"primitive": "workflow.run",
		"with": {
			"template": object.get(input.params, "detect_template", "detect"),
			"name": "detect",
			"parameters": object.union(
				object.get(input.params, "detect_parameters", {}),
				{"until_ms": format_int(until_ms, 10)},
			),
		},
		"reason": "check_requested",
		"because": [],
	}
}

# METADATA
# title: Critical samples gathered
# description: Enough of them, over more than one detection, among enough predictions.
# custom:
#   layer: application
propose contains proposal if {
	psi <= 0
	due
	proposal := {
		"primitive": "event.send",
		"with": retraining,
		"reason": "critical_samples_gathered",
		"because": ["critical", "above", "detections", "scored"],
		"marks": ["retrained"],
		"note": spent,
	}
}

# METADATA
# title: Critical samples gathered, and drift agrees
# description: As above, and the distribution has moved from its reference too.
# custom:
#   layer: application
propose contains proposal if {
	psi > 0
	due
	drifted
	proposal := {
		"primitive": "event.send",
		"with": retraining,
		"reason": "critical_samples_and_drift",
		"because": ["critical", "above", "detections", "scored", "drift"],
		"marks": ["retrained"],
		"note": spent,
	}
}

# METADATA
# title: Retraining unanswered
# description: |
#   A retraining was asked for, and none has ended well since: it was refused,
#   lost, or failed. The mark stays where it is.
# custom:
#   layer: application
propose contains proposal if {
	input.signals.trainings.value == 0
	overdue
	proposal := {
		"primitive": "event.send",
		"with": last_request,
		"reason": "retraining_unanswered",
		"because": ["critical", "above", "detections", "scored", "trainings"],
		"note": spent,
	}
}

# METADATA
# title: Retraining unanswered, and none ever made
# description: As above, where nothing was ever trained, so that there is nowhere to look.
# custom:
#   layer: application
propose contains proposal if {
	input.signals.trainings.state == "empty"
	overdue
	proposal := {
		"primitive": "event.send",
		"with": last_request,
		"reason": "retraining_unanswered",
		"because": ["critical", "above", "detections", "scored", "trainings:empty"],
		"note": spent,
	}
}

# The time up to which the last detection went, unless nothing came of it.
default covered_ms := 0

covered_ms := to_number(last.with.parameters.until_ms) if {
	last := input.memory["modeldebug.check"].last["workflow.run"]
	last.outcome in {"running", "done"}
}

due if {
	gathered
	may_ask
	memory.rested("modeldebug.check", "event.send", object.get(input.params, "interval_ns", 3600000000000))
}

overdue if {
	not gathered
	may_ask
	memory.rested("modeldebug.check", "event.send", object.get(input.params, "ask_again_ns", 3600000000000))
}

gathered if {
	input.signals.critical.value > object.get(input.params, "critical", 50)
	input.signals.detections.value >= object.get(input.params, "detections", 2)
	input.signals.scored.value >= object.get(input.params, "samples", 500)
	input.signals.above.value >= object.get(input.params, "share", 0.1) * input.signals.scored.value
}

psi := object.get(input.params, "psi", 0)

# By object.get, so that an agent without that sensor may use this strategy too.
drifted if object.get(input.signals, ["drift", "value", "psi"], 0) >= psi

may_ask if {
	not input.claims["workflow/retrain"]
	count(asked) < object.get(input.params, "retrains", 4)
}

# When retrainings were asked for, as far back as the budget looks.
asked := [at |
	some at in object.get(input.memory, ["modeldebug.check", "note", "asked"], [])
	input.now_ns - at < object.get(input.params, "retrains_per_ns", 86400000000000)
]

spent := {"asked": array.concat(asked, [input.now_ns])}

last_request := input.memory["modeldebug.check"].last["event.send"]["with"]

retraining := {
	"type": "dev.scanflow.retrain.requested",
	"data": {"critical": input.signals.critical.value, "detections": input.signals.detections.value},
}
