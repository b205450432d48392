# METADATA
# title: Ask for a check of new predictions
# description: |
#   Counts the predictions since the last check, and asks for the next one when
#   there are enough. Where no check came of a request, it asks again.
# custom:
#   layer: application
#   signals:
#     new_predictions: predictions logged since the mark `checked`
#     checks: checks that ended well since the mark `checked`
#   params:
#     experiment: where the predictions are logged
#     predictions: how many are not yet worth a check (999)
#     ask_again_ns: how long a request may go unanswered (30 minutes)
package scanflow.strategies.modeldebug.track

import data.scanflow.lib.memory

# METADATA
# title: Enough new predictions
# description: More came since the last check than may go unchecked.
# custom:
#   layer: application
propose contains proposal if {
	enough
	proposal := {
		"primitive": "event.send",
		"with": request,
		"reason": "enough_new_predictions",
		"because": ["new_predictions"],
		"marks": ["checked"],
	}
}

# METADATA
# title: Check unanswered
# description: |
#   A check was asked for, and none has been made since. The mark stays where it
#   is: what came since the request counts towards the next.
# custom:
#   layer: application
propose contains proposal if {
	input.signals.checks.value == 0
	overdue
	proposal := {
		"primitive": "event.send",
		"with": request,
		"reason": "check_unanswered",
		"because": ["new_predictions", "checks"],
	}
}

# METADATA
# title: Check unanswered, and none ever made
# description: As above, where nobody has made a check yet, so that there is nowhere to look.
# custom:
#   layer: application
propose contains proposal if {
	input.signals.checks.state == "empty"
	overdue
	proposal := {
		"primitive": "event.send",
		"with": request,
		"reason": "check_unanswered",
		"because": ["new_predictions", "checks:empty"],
	}
}

overdue if {
	not enough
	input.memory["modeldebug.track"].last["event.send"]
	memory.rested("modeldebug.track", "event.send", object.get(input.params, "ask_again_ns", 1800000000000))
	not input.claims["workflow/detect"]
}

enough if input.signals.new_predictions.value > object.get(input.params, "predictions", 999)

request := {
	"type": "dev.scanflow.check.requested",
	"data": {"experiment": input.params.experiment, "until_ms": floor(input.now_ns / 1000000)},
}
