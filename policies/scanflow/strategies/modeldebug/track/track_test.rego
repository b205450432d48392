package scanflow.strategies.modeldebug.track_test

import data.scanflow.strategies.modeldebug.track

minute_ns := 60000000000

now_ns := 1000 * minute_ns

document(predictions, checks) := {
	"now_ns": now_ns,
	"target": {"namespace": "digits", "name": "digits"},
	"signals": {"new_predictions": predictions, "checks": checks},
	"params": {"experiment": "digits-predictions"},
	"memory": {},
	"claims": {},
}

ok(value) := {"state": "ok", "value": value}

# asked has a document remember a request of so many minutes ago.
asked(doc, minutes) := object.union(doc, {"memory": {"modeldebug.track": {"last": {"event.send": {
	"at_ns": now_ns - (minutes * minute_ns),
	"outcome": "done",
}}}}})

test_asks_for_a_check if {
	track.propose == {{
		"primitive": "event.send",
		"with": {"type": "dev.scanflow.check.requested", "data": {"experiment": "digits-predictions", "until_ms": 60000000}},
		"reason": "enough_new_predictions",
		"because": ["new_predictions"],
		"marks": ["checked"],
	}} with input as document(ok(1000), ok(0))
}

test_waits[note] if {
	some note, row in {
		"at the published number": {"document": document(ok(999), ok(1))},
		"with nothing counted": {"document": document({"state": "empty"}, ok(0))},
		"when counting failed": {"document": document({"state": "error", "last": 5000}, ok(0))},
		"on an old count": {"document": document({"state": "stale", "last": 5000}, ok(0))},
		"below its own number": {"document": object.union(document(ok(1000), ok(1)), {"params": {"predictions": 2000}})},
	}
	count(track.propose) == 0 with input as row.document
}

test_its_number_is_a_parameter if {
	few := object.union(document(ok(101), ok(1)), {"params": {"predictions": 100}})
	{p.reason | some p in track.propose} == {"enough_new_predictions"} with input as few
}

test_asks_again_where_no_check_came if {
	track.propose == {{
		"primitive": "event.send",
		"with": {"type": "dev.scanflow.check.requested", "data": {"experiment": "digits-predictions", "until_ms": 60000000}},
		"reason": "check_unanswered",
		"because": ["new_predictions", "checks"],
	}} with input as asked(document(ok(3), ok(0)), 30)
}

test_asks_again_where_no_check_was_ever_made if {
	found := track.propose with input as asked(document(ok(3), {"state": "empty"}), 30)
	{[p.reason, p.because] | some p in found} == {["check_unanswered", ["new_predictions", "checks:empty"]]}
}

test_does_not_ask_again[note] if {
	some note, row in {
		"before it was asked for": {"document": document(ok(3), ok(0))},
		"while there is time for the first": {"document": asked(document(ok(3), {"state": "empty"}), 29)},
		"while there is time": {"document": asked(document(ok(3), ok(0)), 29)},
		"when a check came": {"document": asked(document(ok(3), ok(1)), 90)},
		"without knowing": {"document": asked(document(ok(3), {"state": "error", "last": 0}), 90)},
		"while a check is under way": {"document": object.union(
			asked(document(ok(3), ok(0)), 90),
			{"claims": {"workflow/detect": {"agent": "digits/checker", "state": "running"}}},
		)},
		"while there is time of its own": {"document": object.union(
			asked(document(ok(3), ok(0)), 90),
			{"params": {"ask_again_ns": 100 * minute_ns}},
		)},
	}
	count(track.propose) == 0 with input as row.document
}

test_asks_once_at_a_time if {
	{p.reason | some p in track.propose} == {"enough_new_predictions"} with input as asked(document(ok(1000), ok(0)), 90)
}
