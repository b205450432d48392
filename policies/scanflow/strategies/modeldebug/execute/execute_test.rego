package scanflow.strategies.modeldebug.execute_test

import data.scanflow.strategies.modeldebug.execute

minute_ns := 60000000000

now_ns := 10000 * minute_ns

ok(value) := {"state": "ok", "value": value}

version(number) := {"model": "digits", "version": number, "run_id": concat("", ["run", number]), "tags": {}}

proposals(doc) := found if found := execute.propose with input as doc

# --- promoting -----------------------------------------------------------------

asked := {
	"now_ns": now_ns,
	"trigger": {"name": "asked", "kind": "event", "event": {
		"id": "e1",
		"source": "/agents/digits/planner",
		"type": "dev.scanflow.promote.requested",
		"subject": "digits/digits",
		"data": {"model": "digits", "version": "2", "production_version": "1"},
	}},
	"target": {"namespace": "digits", "name": "digits", "model": "1"},
	"signals": {
		"candidate": ok(version("2")),
		"production": ok(version("1")),
		"live_accuracy": ok(0.62),
		"live_samples": ok(100),
	},
	"params": {},
	"memory": {},
	"claims": {},
}

# seeing has a document with these signals in place of its own.
seeing(doc, signals) := object.union(
	object.remove(doc, ["signals"]),
	{"signals": object.union(object.remove(doc.signals, object.keys(signals)), signals)},
)

requested(changes) := object.union(asked, {"trigger": {"event": changes}})

test_promotes_when_asked_to if {
	proposals(asked) == {{
		"primitive": "model.promote",
		"with": {"model": "digits", "version": "2"},
		"priority": 50,
		"reason": "promote_requested",
		"because": ["candidate", "production", "live_samples", "live_accuracy"],
		"note": {"promoted": {"version": "2", "replaced": "1", "at_ns": now_ns, "accuracy": 0.62}, "rolled_back": []},
	}}
}

test_notes_no_accuracy_that_it_does_not_know[note] if {
	some note, row in {
		"on few samples": {"signals": {"live_samples": ok(99)}, "because": ["candidate", "production", "live_samples"]},
		"on none, of which there is no share": {
			"signals": {"live_samples": ok(0), "live_accuracy": {"state": "nan"}},
			"because": ["candidate", "production", "live_samples"],
		},
		"where nothing is measured": {
			"signals": {"live_samples": {"state": "empty"}, "live_accuracy": {"state": "empty"}},
			"because": ["candidate", "production", "live_samples:empty"],
		},
	}
	found := proposals(seeing(asked, row.signals))
	{[p.because, p.note] | some p in found} == {[row.because, {"promoted": {"version": "2", "replaced": "1", "at_ns": now_ns}, "rolled_back": []}]}
}

test_forgets_the_accuracy_of_the_time_before if {
	before := {"memory": {"modeldebug.execute": {"note": {
		"promoted": {"version": "1", "replaced": "0", "at_ns": 1, "accuracy": 0.9},
		"rolled_back": ["0"],
	}}}}
	found := proposals(object.union(seeing(asked, {"live_samples": ok(3)}), before))
	{p.note | some p in found} == {{"promoted": {"version": "2", "replaced": "1", "at_ns": now_ns}, "rolled_back": ["0"]}}
}

test_does_not_promote[note] if {
	some note, doc in {
		"for another target": requested({"subject": "digits/letters"}),
		"for another event": requested({"type": "dev.scanflow.retrain.requested"}),
		"at a tick": object.union(object.remove(asked, ["trigger"]), {"trigger": {"name": "tick", "kind": "every"}}),
		"another model": requested({"data": {"model": "letters"}}),
		"what was compared with another version than is in production": requested({"data": {"production_version": "0"}}),
		"what was compared with nothing": object.union(
			object.remove(asked, ["trigger"]),
			{"trigger": {"event": object.union(
				object.remove(asked.trigger.event, ["data"]),
				{"data": {"model": "digits", "version": "2"}},
			)}},
		),
		"the one in production, when the request comes again": seeing(
			requested({"data": {"production_version": "2"}}),
			{"production": ok(version("2"))},
		),
		"one that a newer one has overtaken": seeing(asked, {"candidate": ok(version("3"))}),
		"one that the registry says was rolled back": seeing(
			asked,
			{"candidate": ok(object.union(version("2"), {"tags": {"scanflow.rolled_back": "serves_badly"}}))},
		),
		"one that it rolled back itself, whatever the registry says": object.union(
			asked,
			{"memory": {"modeldebug.execute": {"note": {"rolled_back": ["2"]}}}},
		),
		"without knowing what is in production": seeing(asked, {"production": {"state": "error", "last": version("1")}}),
		"with nothing in production": seeing(asked, {"production": {"state": "empty"}}),
		"without knowing the version": seeing(asked, {"candidate": {"state": "stale", "last": version("2")}}),
		"what it could not watch": seeing(asked, {"live_samples": {"state": "error", "last": 900}}),
		"by samples whose share it can't tell": seeing(asked, {"live_accuracy": {"state": "error", "last": 0.9}}),
	}
	count(proposals(doc)) == 0
}

# --- rolling back ------------------------------------------------------------------

promoted(changes) := object.union({"version": "2", "replaced": "1", "at_ns": now_ns - minute_ns, "accuracy": 0.9}, changes)

serving := {
	"now_ns": now_ns,
	"trigger": {"name": "tick", "kind": "every"},
	"target": {"namespace": "digits", "name": "digits", "model": "2"},
	"signals": {
		"candidate": ok(version("2")),
		"production": ok(version("2")),
		"live_accuracy": ok(0.4),
		"live_samples": ok(100),
	},
	"params": {},
	"memory": {"modeldebug.execute": {"note": {"promoted": promoted({}), "rolled_back": ["0"]}}},
	"claims": {},
}

remembering(record) := object.union(
	object.remove(serving, ["memory"]),
	{"memory": {"modeldebug.execute": {"note": {"promoted": record, "rolled_back": []}}}},
)

test_rolls_back_what_serves_badly if {
	proposals(serving) == {{
		"primitive": "model.rollback",
		"with": {"model": "digits", "reason": "serves_badly"},
		"priority": 90,
		"reason": "serves_badly",
		"because": ["production", "live_samples", "live_accuracy"],
		"note": {"promoted": promoted({}), "rolled_back": ["0", "2"]},
	}}
}

test_asks_again_where_a_rollback_failed if {
	failed := {"memory": {"modeldebug.execute": {"note": {"rolled_back": ["0", "2"]}}}}
	{p.note.rolled_back | some p in proposals(object.union(serving, failed))} == {["0", "2"]}
}

# The one before served 0.9, so that 0.85 is the least. Of 100 predictions 0.75 may
# be chance (three standard errors are 0.107), and of 1000 it is not.
test_tells_bad_from_chance[note] if {
	some note, row in {
		"as good": {"accuracy": 0.9, "samples": 1000, "acts": 0},
		"worse by less than the margin": {"accuracy": 0.86, "samples": 100000, "acts": 0},
		"at the margin": {"accuracy": 0.85, "samples": 100000, "acts": 0},
		"worse by a little more": {"accuracy": 0.845, "samples": 100000, "acts": 1},
		"perhaps by chance": {"accuracy": 0.75, "samples": 100, "acts": 0},
		"not by chance any more": {"accuracy": 0.75, "samples": 1000, "acts": 1},
		"far worse": {"accuracy": 0.4, "samples": 100, "acts": 1},
		"far worse, of too few": {"accuracy": 0.1, "samples": 99, "acts": 0},
	}
	doc := seeing(serving, {"live_accuracy": ok(row.accuracy), "live_samples": ok(row.samples)})
	count(proposals(doc)) == row.acts
}

test_has_a_floor_where_nothing_is_known_of_the_one_before[note] if {
	some note, row in {
		"far below it": {"accuracy": 0.3, "params": {}, "acts": 1},
		"below it": {"accuracy": 0.495, "params": {}, "acts": 1},
		"above it": {"accuracy": 0.505, "params": {}, "acts": 0},
		"below its own": {"accuracy": 0.505, "params": {"live_accuracy_floor": 0.8}, "acts": 1},
	}
	unknown := object.union(remembering(object.remove(promoted({}), ["accuracy"])), {"params": row.params})
	count(proposals(seeing(unknown, {"live_accuracy": ok(row.accuracy), "live_samples": ok(100000)}))) == row.acts
}

test_is_not_held_to_the_floor_where_the_one_before_was_below_it if {
	count(proposals(seeing(remembering(promoted({"accuracy": 0.45})), {"live_accuracy": ok(0.42), "live_samples": ok(9000)}))) == 0
}

test_thresholds_are_parameters[note] if {
	some note, row in {
		"live_samples": {"live_samples": 101},
		"live_margin": {"live_margin": 0.5},
		"live_sigmas": {"live_sigmas": 20},
		"probation_ns": {"probation_ns": minute_ns},
	}
	count(proposals(object.union(serving, {"params": row}))) == 0
}

test_does_not_roll_back[note] if {
	some note, doc in {
		"what is not in service yet": object.union(serving, {"target": {"model": "1"}}),
		"what nobody knows to be in service": object.union(object.remove(serving, ["target"]), {"target": {"namespace": "digits", "name": "digits"}}),
		"what is in service but not in production": seeing(serving, {"production": ok(version("1"))}),
		"what it did not promote": remembering(promoted({"version": "1"})),
		"when it promoted nothing": object.union(object.remove(serving, ["memory"]), {"memory": {}}),
		"what is past its probation": remembering(promoted({"at_ns": now_ns - (1440 * minute_ns)})),
		"without knowing how it serves": seeing(serving, {"live_accuracy": {"state": "error", "last": 0.1}}),
		"on what was known before": seeing(serving, {"live_accuracy": {"state": "stale", "last": 0.1}}),
		"on a share of nothing": seeing(serving, {"live_accuracy": {"state": "nan"}, "live_samples": ok(0)}),
		"without knowing of how many": seeing(serving, {"live_samples": {"state": "empty"}}),
		"without knowing what is in production": seeing(serving, {"production": {"state": "error", "last": version("2")}}),
	}
	count(proposals(doc)) == 0
}
