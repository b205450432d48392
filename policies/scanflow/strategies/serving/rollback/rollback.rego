# METADATA
# title: Roll back a model on its error rate
# description: |
#   Takes the version in service out of it where a larger share of its requests fails than of
#   another version's over the same window: by a margin, and by more than chance makes of so
#   many requests (the pooled test of two proportions). The other version is the one of the rest
#   with the most requests. Two versions that fail alike are an outage, and no reason to go back.
#   A version that was rolled back is not gone back to, and is left alone where somebody puts it
#   in service again.
# custom:
#   layer: infrastructure
#   signals:
#     requests: "requests over a window, by version: an object"
#     errors: "how many of them failed, by version, with 0 for a version without one"
#   params:
#     registered_model: "name of the model in the registry: goes back by `model.rollback`"
#     serve: "without registered_model: the parameters of `model.serve` beside the version, an object of texts in which {version} is the version to go back to ({})"
#     rollback_samples: the fewest requests of each version to judge by (100)
#     rollback_margin: by how much the error rate must be above the other version's, as a share (0.02)
#     rollback_sigmas: by how many standard errors it must be above (3)
package scanflow.strategies.serving.rollback

import data.scanflow.lib.params

# METADATA
# title: Error rate above the other version's, of a registered model
# description: The alias of the version in production goes back to the version before.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	registered_model != null
	worse
	proposal := {
		"primitive": "model.rollback",
		"with": {"model": registered_model, "reason": "error_rate_above_previous"},
		"priority": 90,
		"reason": "error_rate_above_previous",
		"because": ["requests", "errors"],
		"note": {"rolled_back": left},
	}
}

# METADATA
# title: Error rate above the other version's
# description: The other version goes into service.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) == 0
	registered_model == null
	worse
	proposal := {
		"primitive": "model.serve",
		"with": object.union({name: replace(text, "{version}", other) | some name, text in serve}, {"version": other}),
		"priority": 90,
		"reason": "error_rate_above_previous",
		"because": ["requests", "errors"],
		"note": {"rolled_back": left},
	}
}

# METADATA
# title: Params with mistakes
# description: |
#   A param makes no sense. The proposal names the mistakes in place of an act: it is refused
#   for its shape.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) > 0
	proposal := {
		"primitive": "model.serve",
		"with": {"mistakes": sort(problems)},
		"priority": 0,
		"reason": "params_with_mistakes",
		"because": [],
	}
}

current := input.target.model

# The version to compare with, and to go back to.
other := min([version | some version, n in rest; n == most])

most := max([n | some n in rest])

rest := {version: n |
	some version, n in input.signals.requests.value
	version != current
	version != ""
	not version in rolled_back
}

worse if {
	not left_alone
	samples(current) >= least
	samples(other) >= least
	above := rate(current) - rate(other)
	above > margin
	pooled := (failures(current) + failures(other)) / (samples(current) + samples(other))
	variance := (pooled * (1 - pooled)) * ((1 / samples(current)) + (1 / samples(other)))
	above * above > (sigmas * sigmas) * variance
}

# The version was rolled back, and that act did not fail: either the service has not followed
# yet, or somebody has put the version in service again.
left_alone if {
	current in rolled_back
	not failed
}

failed if {
	some verb in ["model.rollback", "model.serve"]
	input.memory["serving.rollback"].last[verb].outcome in {"failed", "abandoned"}
}

samples(version) := n if {
	n := input.signals.requests.value[version]
	n > 0
}

# An increase that Prometheus extrapolates can be a little above that of all requests.
failures(version) := min([n, samples(version)]) if {
	n := input.signals.errors.value[version]
	n >= 0
}

rate(version) := failures(version) / samples(version)

rolled_back := [version |
	some version in object.get(input.memory, ["serving.rollback", "note", "rolled_back"], [])
	is_string(version)
]

# The last 16 are remembered.
left := array.slice(all, count(all) - 16, count(all)) if {
	all := array.concat([version | some version in rolled_back; version != current], [current])
}

# By object.get, so that an agent without the param may use this strategy too.
registered_model := object.get(input.params, "registered_model", null)

serve := object.get(input.params, "serve", {})

least := object.get(input.params, "rollback_samples", 100)

margin := object.get(input.params, "rollback_margin", 0.02)

sigmas := object.get(input.params, "rollback_sigmas", 3)

problems contains params.not_a_count("rollback_samples", least, 1)

problems contains params.not_above_zero("rollback_margin", margin)

problems contains params.below_zero("rollback_sigmas", sigmas)

problems contains params.not_a_name("registered_model", registered_model) if registered_model != null

problems contains "params.serve: is no object of texts" if not texts

problems contains "params.serve: has no effect beside registered_model" if {
	registered_model != null
	count(serve) > 0
}

problems contains "params.serve.version: is the version to go back to, and can't be set" if serve.version

texts if {
	is_object(serve)
	every _, text in serve {
		is_string(text)
	}
}
