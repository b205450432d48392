# METADATA
# title: Promote, and roll back what serves badly
# description: |
#   Promotes the version that it is asked to, remembering how well the version that
#   it replaces served. While the promoted one is new and in service, it is rolled
#   back if it serves worse, and is never promoted again.
# custom:
#   layer: application
#   signals:
#     candidate: "the newest version of the model, with its tags"
#     production: the version in production
#     live_accuracy: share of the predictions by the version in service that turned out right
#     live_samples: how many predictions that share is of
#   params:
#     live_samples: the fewest predictions to judge by (100)
#     live_margin: by how much accuracy a version may serve worse than the one it replaced (0.05)
#     live_accuracy_floor: the accuracy that it must have where that of the one it replaced is not known (0.5)
#     live_sigmas: by how many standard errors it must be below that (3)
#     probation_ns: how long after its promotion a version is judged; later, a fall is the data's doing (24 hours)
package scanflow.strategies.modeldebug.execute

import data.scanflow.lib.request

# METADATA
# title: Promotion requested
# description: |
#   The request holds still: the version is the newest, is compared with the one
#   that is in production now, and was never rolled back. The accuracy of the one in
#   service is kept, to judge the new one by.
# custom:
#   layer: application
propose contains proposal if {
	wanted
	input.signals.live_samples.value >= live_samples
	proposal := {
		"primitive": "model.promote",
		"with": promotion,
		"priority": 50,
		"reason": "promote_requested",
		"because": ["candidate", "production", "live_samples", "live_accuracy"],
		"note": promoting({"accuracy": input.signals.live_accuracy.value}),
	}
}

# METADATA
# title: Promotion requested, little seen of the one in service
# description: As above, with too few predictions to say how well the one in service does.
# custom:
#   layer: application
propose contains proposal if {
	wanted
	input.signals.live_samples.value < live_samples
	proposal := {
		"primitive": "model.promote",
		"with": promotion,
		"priority": 50,
		"reason": "promote_requested",
		"because": ["candidate", "production", "live_samples"],
		"note": promoting({}),
	}
}

# METADATA
# title: Promotion requested, nothing seen of the one in service
# description: |
#   As above, with nothing measured. Where measuring failed nothing is promoted: a
#   version that can't be watched couldn't be rolled back.
# custom:
#   layer: application
propose contains proposal if {
	wanted
	input.signals.live_samples.state == "empty"
	proposal := {
		"primitive": "model.promote",
		"with": promotion,
		"priority": 50,
		"reason": "promote_requested",
		"because": ["candidate", "production", "live_samples:empty"],
		"note": promoting({}),
	}
}

# METADATA
# title: Serves badly
# description: |
#   The version that was promoted and is in service has served enough predictions
#   to tell that it does worse than it may, beyond what chance would make of them.
# custom:
#   layer: application
propose contains proposal if {
	version := input.signals.production.value.version
	version == promoted.version
	version == input.target.model
	input.now_ns - promoted.at_ns < object.get(input.params, "probation_ns", 86400000000000)
	samples := input.signals.live_samples.value
	samples >= live_samples
	short := bound - input.signals.live_accuracy.value
	short > 0
	(short * short) * samples >= ((sigmas * sigmas) * bound) * (1 - bound)
	proposal := {
		"primitive": "model.rollback",
		"with": {"model": input.signals.production.value.model, "reason": "serves_badly"},
		"priority": 90,
		"reason": "serves_badly",
		"because": ["production", "live_samples", "live_accuracy"],
		"note": {"promoted": promoted, "rolled_back": array.concat([v | some v in rolled_back; v != version], [version])},
	}
}

wanted if {
	request.about("dev.scanflow.promote.requested")
	asked := input.trigger.event.data
	asked.model == input.signals.production.value.model
	asked.production_version == input.signals.production.value.version
	asked.version != asked.production_version
	asked.version == input.signals.candidate.value.version
	not input.signals.candidate.value.tags["scanflow.rolled_back"]
	not asked.version in rolled_back
}

promotion := {"model": input.signals.candidate.value.model, "version": input.signals.candidate.value.version}

# What to judge the promoted version by, and those that may not come back: the
# registry says that too, by a tag, and the tag may be lost.
promoting(seen) := {
	"promoted": object.union(seen, {
		"version": input.signals.candidate.value.version,
		"replaced": input.signals.production.value.version,
		"at_ns": input.now_ns,
	}),
	"rolled_back": rolled_back,
}

promoted := input.memory["modeldebug.execute"].note.promoted

rolled_back := object.get(input.memory, ["modeldebug.execute", "note", "rolled_back"], [])

live_samples := object.get(input.params, "live_samples", 100)

sigmas := object.get(input.params, "live_sigmas", 3)

# The least accuracy that the promoted version may serve with.
bound := promoted.accuracy - object.get(input.params, "live_margin", 0.05)

bound := object.get(input.params, "live_accuracy_floor", 0.5) if not promoted.accuracy
