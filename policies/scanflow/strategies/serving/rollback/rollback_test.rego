package scanflow.strategies.serving.rollback_test

import data.scanflow.strategies.serving.rollback

ok(value) := {"state": "ok", "value": value}

# document has version 2 in service, of whose 1000 requests some failed, after version 1.
# A change replaces a section.
document(changes) := object.union(object.remove(normal, object.keys(changes)), changes)

normal := {
	"target": {"model": "2"},
	"signals": {"requests": ok({"1": 5000, "2": 1000}), "errors": ok({"1": 50, "2": 100})},
	"params": {},
	"memory": {},
}

counts(requests, errors) := {"signals": {"requests": ok(requests), "errors": ok(errors)}}

test_goes_back if {
	proposals := rollback.propose with input as document({})
	{[p.primitive, p["with"], p.reason, p.note] | some p in proposals} == {["model.serve", {"version": "1"}, "error_rate_above_previous", {"rolled_back": ["2"]}]}
}

test_goes_back_by[note] if {
	some note, row in {
		"the registry": {"params": {"registered_model": "digits"}, "verb": "model.rollback", "with": {"model": "digits", "reason": "error_rate_above_previous"}},
		"a uri": {"params": {"serve": {"uri": "s3://models/digits/{version}", "env": "MODEL_URI"}}, "verb": "model.serve", "with": {"uri": "s3://models/digits/1", "env": "MODEL_URI", "version": "1"}},
	}
	proposals := rollback.propose with input as document({"params": row.params})
	{[p.primitive, p["with"]] | some p in proposals} == {[row.verb, row["with"]]}
}

test_chooses[note] if {
	some note, row in {
		"the version with the most requests": {"changes": counts({"1": 200, "2": 1000, "3": 900}, {"1": 0, "2": 500, "3": 0}), "want": {"3"}},
		"one of two that are alike": {"changes": counts({"1": 900, "2": 1000, "3": 900}, {"1": 0, "2": 500, "3": 0}), "want": {"1"}},
		"none that was rolled back": {
			"changes": object.union(counts({"1": 200, "2": 1000, "3": 900}, {"1": 0, "2": 500, "3": 0}), {"memory": {"serving.rollback": {"note": {"rolled_back": ["3"]}}}}),
			"want": {"1"},
		},
		"no series without a version": {"changes": counts({"": 9000, "1": 200, "2": 1000}, {"": 0, "1": 0, "2": 500}), "want": {"1"}},
		"one that fails at each request": {"changes": counts({"1": 200, "2": 1000}, {"1": 0, "2": 1003.5}), "want": {"1"}},
	}
	proposals := rollback.propose with input as document(row.changes)
	{p["with"].version | some p in proposals} == row.want
}

test_leaves_it[note] if {
	some note, changes in {
		"where both fail alike": counts({"1": 5000, "2": 1000}, {"1": 500, "2": 100}),
		"where both fail at each request": counts({"1": 5000, "2": 1000}, {"1": 5000, "2": 1000}),
		"where neither fails": counts({"1": 5000, "2": 1000}, {"1": 0, "2": 0}),
		"where the new one is better": counts({"1": 5000, "2": 1000}, {"1": 500, "2": 1}),
		"within the margin": counts({"1": 500000, "2": 100000}, {"1": 5000, "2": 2900}),
		"where chance could do it": counts({"1": 120, "2": 120}, {"1": 3, "2": 9}),
		"on few requests of the new one": counts({"1": 5000, "2": 99}, {"1": 50, "2": 99}),
		"on few requests of the old one": counts({"1": 99, "2": 1000}, {"1": 0, "2": 500}),
		"where the old one's errors are not known": counts({"1": 5000, "2": 1000}, {"2": 500}),
		"where the new one's errors are not known": counts({"1": 5000, "2": 1000}, {"1": 50}),
		"with no other version": counts({"2": 1000}, {"2": 500}),
		"where the others were rolled back": {"memory": {"serving.rollback": {"note": {"rolled_back": ["1"]}}}},
		"where the version in service is not among them": {"target": {"model": "9"}},
		"without requests": {"signals": {"requests": {"state": "empty"}, "errors": ok({"1": 50, "2": 100})}},
		"without errors": {"signals": {"requests": ok({"1": 5000, "2": 1000}), "errors": {"state": "error", "last": {"1": 0, "2": 1000}}}},
		"after the rollback, until the service follows": {"memory": {"serving.rollback": {"note": {"rolled_back": ["2"]}, "last": {"model.rollback": {"at_ns": 1, "outcome": "done"}}}}},
	}
	proposals := rollback.propose with input as document(changes)
	count(proposals) == 0
}

test_does_not_know_what_serves if {
	count(rollback.propose) == 0 with input as document({"target": {"name": "digits"}})
}

test_tries_again_after_a_failure if {
	proposals := rollback.propose with input as document({"memory": {"serving.rollback": {
		"note": {"rolled_back": ["2"]},
		"last": {"model.serve": {"at_ns": 1, "outcome": "failed"}},
	}}})
	{[p["with"].version, p.note.rolled_back] | some p in proposals} == {["1", ["2"]]}
}

test_remembers_sixteen if {
	many := [sprintf("%d", [n]) | some n in numbers.range(100, 120)]
	proposals := rollback.propose with input as document({"memory": {"serving.rollback": {"note": {"rolled_back": many}}}})
	{[count(p.note.rolled_back), p.note.rolled_back[15]] | some p in proposals} == {[16, "2"]}
}

test_params_with_mistakes[note] if {
	some note, row in {
		"no samples": {"params": {"rollback_samples": 0}, "want": "params.rollback_samples: is no whole number of 1 or more"},
		"a margin of nothing": {"params": {"rollback_margin": 0}, "want": "params.rollback_margin: is no number above 0"},
		"sigmas below zero": {"params": {"rollback_sigmas": -1}, "want": "params.rollback_sigmas: is no number of 0 or more"},
		"a name that is none": {"params": {"registered_model": " "}, "want": "params.registered_model: is no name"},
		"a number among texts": {"params": {"serve": {"canaryPercent": 10}}, "want": "params.serve: is no object of texts"},
		"two ways": {"params": {"registered_model": "digits", "serve": {"env": "MODEL"}}, "want": "params.serve: has no effect beside registered_model"},
		"a version": {"params": {"serve": {"version": "1"}}, "want": "params.serve.version: is the version to go back to, and can't be set"},
	}
	proposals := rollback.propose with input as document({"params": row.params})
	{[p["with"].mistakes, p.reason] | some p in proposals} == {[[row.want], "params_with_mistakes"]}
}
