# METADATA
# title: Retrain, compare, and roll out
# description: |
#   Runs the training workflow when asked to, asks for the promotion of a trained
#   model that is better than the one in production, and has the workload serve the
#   version that the registry has in production.
# custom:
#   layer: application
#   signals:
#     candidate: "the newest version of the model, with the metrics and tags of it and of its run"
#     production: the version in production, likewise
#   params:
#     retrain_template: the workflow that trains (retrain)
#     retrain_parameters: its parameters
#     retrain_interval_ns: pause between the beginnings of two trainings (30 minutes)
#     margin: by how much accuracy a candidate must be better (0.005)
#     held_out: the fewest samples that it was measured on, where that is logged (500)
#     ask_again_ns: how long a request to promote one version may go unanswered (10 minutes)
#     model_env: the container's variable that says which model to serve (MODEL_URI)
package scanflow.strategies.modeldebug.plan

import data.scanflow.lib.memory
import data.scanflow.lib.request

# METADATA
# title: Retraining requested
# description: |
#   One training at a time, and a pause between two. The same request never starts
#   a second one. A request that comes while another is being answered is not lost:
#   whoever asked sees whether a training came of it, and asks again.
# custom:
#   layer: application
propose contains proposal if {
	request.about("dev.scanflow.retrain.requested")
	not answered
	not input.claims["workflow/retrain"]
	memory.rested("modeldebug.plan", "workflow.run", object.get(input.params, "retrain_interval_ns", 1800000000000))
	proposal := {
		"primitive": "workflow.run",
		"with": {
			"template": object.get(input.params, "retrain_template", "retrain"),
			"name": "retrain",
			"parameters": object.get(input.params, "retrain_parameters", {}),
		},
		"reason": "retrain_requested",
		"because": [],
		"note": {"answered": this_request},
	}
}

# METADATA
# title: Candidate is better
# description: |
#   The newest version was measured to be better than the one in production, on
#   the same samples, and never was rolled back. It is asked for once, and again
#   where nothing came of that.
# custom:
#   layer: application
propose contains proposal if {
	candidate := input.signals.candidate.value
	production := input.signals.production.value
	candidate.metrics.accuracy > production.metrics.accuracy + object.get(input.params, "margin", 0.005)
	object.get(candidate.metrics, "held_out", held_out) >= held_out
	to_number(candidate.version) > to_number(production.version)
	not candidate.tags["scanflow.rolled_back"]
	not input.claims[concat("/", ["model", candidate.model])]
	not asked_lately(candidate.version)
	proposal := {
		"primitive": "event.send",
		"with": {"type": "dev.scanflow.promote.requested", "data": {
			"model": candidate.model,
			"version": candidate.version,
			"run_id": candidate.run_id,
			"accuracy": candidate.metrics.accuracy,
			"production_version": production.version,
			"production_accuracy": production.metrics.accuracy,
		}},
		"reason": "candidate_is_better",
		"because": ["candidate", "production"],
	}
}

# METADATA
# title: Another version in production
# description: The workload serves another version than the registry has in production, or says none.
# custom:
#   layer: application
propose contains proposal if {
	production := input.signals.production.value
	production.version != object.get(input.target, "model", "")
	proposal := {
		"primitive": "model.serve",
		"with": {
			"version": production.version,
			"uri": concat("/", ["models:", production.model, production.version]),
			"env": object.get(input.params, "model_env", "MODEL_URI"),
		},
		"priority": 50,
		"reason": "another_version_in_production",
		"because": ["production"],
	}
}

# An event is known by its source and id.
this_request := {"source": input.trigger.event.source, "id": input.trigger.event.id}

answered if input.memory["modeldebug.plan"].note.answered == this_request

held_out := object.get(input.params, "held_out", 500)

asked_lately(version) if {
	input.memory["modeldebug.plan"].last["event.send"]["with"].data.version == version
	not memory.rested("modeldebug.plan", "event.send", object.get(input.params, "ask_again_ns", 600000000000))
}
