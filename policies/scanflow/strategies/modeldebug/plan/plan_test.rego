package scanflow.strategies.modeldebug.plan_test

import data.scanflow.strategies.modeldebug.plan

minute_ns := 60000000000

now_ns := 10000 * minute_ns

ok(value) := {"state": "ok", "value": value}

version(number, accuracy) := {
	"model": "digits",
	"version": number,
	"run_id": concat("", ["run", number]),
	"tags": {},
	"metrics": {"accuracy": accuracy},
}

base := {
	"now_ns": now_ns,
	"trigger": {"name": "tick", "kind": "every"},
	"target": {"namespace": "digits", "name": "digits", "model": "1"},
	"signals": {"candidate": ok(version("1", 0.9)), "production": ok(version("1", 0.9))},
	"params": {},
	"memory": {},
	"claims": {},
}

document(changes) := object.union(base, changes)

proposals(doc) := found if found := plan.propose with input as doc

# --- retraining ------------------------------------------------------------------

event(id) := {
	"id": id,
	"source": "/agents/digits/checker",
	"type": "dev.scanflow.retrain.requested",
	"subject": "digits/digits",
	"data": {"critical": 51, "detections": 2},
}

request(id) := {"trigger": {"name": "asked", "kind": "event", "event": event(id)}}

# trained has a document remember a training that began so many minutes ago, and which
# request it answers.
trained(minutes, outcome, id) := {"memory": {"modeldebug.plan": {
	"note": {"answered": {"source": "/agents/digits/checker", "id": id}},
	"last": {"workflow.run": {"at_ns": now_ns - (minutes * minute_ns), "outcome": outcome}},
}}}

test_retrains_when_asked_to if {
	proposals(document(request("e1"))) == {{
		"primitive": "workflow.run",
		"with": {"template": "retrain", "name": "retrain", "parameters": {}},
		"reason": "retrain_requested",
		"because": [],
		"note": {"answered": {"source": "/agents/digits/checker", "id": "e1"}},
	}}
}

test_retrains_by_its_own_template if {
	named := {"params": {"retrain_template": "fit", "retrain_parameters": {"epochs": "3"}}}
	{p.with | some p in proposals(document(object.union(request("e1"), named)))} == {{
		"template": "fit",
		"name": "retrain",
		"parameters": {"epochs": "3"},
	}}
}

# Defect 7 of the published system: a repeated request started a second retraining.
test_one_training_at_a_time[note] if {
	some note, row in {
		"the same request, long after": {"id": "e1", "before": trained(600, "done", "e1"), "runs": 0},
		"the same request, after a failure": {"id": "e1", "before": trained(600, "failed", "e1"), "runs": 0},
		"another request while one runs": {"id": "e2", "before": trained(5, "running", "e1"), "runs": 0},
		"another request when one has just ended": {"id": "e2", "before": trained(29, "done", "e1"), "runs": 0},
		"another request when one has just failed": {"id": "e2", "before": trained(29, "failed", "e1"), "runs": 0},
		"another request after the pause": {"id": "e2", "before": trained(30, "done", "e1"), "runs": 1},
		"another request after its own pause": {
			"id": "e2",
			"before": object.union(trained(6, "done", "e1"), {"params": {"retrain_interval_ns": 5 * minute_ns}}),
			"runs": 1,
		},
		"somebody else's request of that id": {
			"id": "e1",
			"before": object.union(trained(600, "done", "e1"), {"trigger": {"event": {"source": "/agents/digits/other"}}}),
			"runs": 1,
		},
		"another request while a long one runs": {
			"id": "e2",
			"before": object.union(trained(90, "running", "e1"), {"claims": {"workflow/retrain": {"agent": "digits/planner", "state": "running"}}}),
			"runs": 0,
		},
		"another request while a long one cools down": {
			"id": "e2",
			"before": object.union(trained(90, "done", "e1"), {"claims": {"workflow/retrain": {"agent": "digits/planner", "state": "cooling"}}}),
			"runs": 0,
		},
	}
	count(proposals(document(object.union(request(row.id), row.before)))) == row.runs
}

test_does_not_retrain[note] if {
	some note, row in {
		"at a tick": {},
		"for another target": {"trigger": {"event": object.union(event("e1"), {"subject": "digits/letters"})}},
		"for another event": {"trigger": {"event": object.union(event("e1"), {"type": "dev.scanflow.check.requested"})}},
	}
	count(proposals(document(row))) == 0
}

# --- comparing -------------------------------------------------------------------

better := {"signals": {"candidate": ok(version("2", 0.95))}}

test_asks_for_a_promotion if {
	proposals(document(better)) == {{
		"primitive": "event.send",
		"with": {"type": "dev.scanflow.promote.requested", "data": {
			"model": "digits",
			"version": "2",
			"run_id": "run2",
			"accuracy": 0.95,
			"production_version": "1",
			"production_accuracy": 0.9,
		}},
		"reason": "candidate_is_better",
		"because": ["candidate", "production"],
	}}
}

test_asks_for_one_that_is_just_better_enough if {
	count(proposals(document({"signals": {"candidate": ok(version("2", 0.9051))}}))) == 1
}

candidate(changes) := document({"signals": {"candidate": ok(object.union(version("2", 0.95), changes))}})

test_does_not_ask_for[note] if {
	some note, doc in {
		"one as good": document({"signals": {"candidate": ok(version("2", 0.9))}}),
		"one hardly better": document({"signals": {"candidate": ok(version("2", 0.905))}}),
		"one better by less than its own margin": object.union(document(better), {"params": {"margin": 0.06}}),
		"the one in production": candidate({"version": "1"}),
		"an older one": object.union(document(better), {"target": {"model": "10"}, "signals": {"production": ok(version("10", 0.9))}}),
		"one that was rolled back": candidate({"tags": {"scanflow.rolled_back": "serves_badly"}}),
		"one measured on too few samples": candidate({"metrics": {"held_out": 499}}),
		"one measured on fewer samples than it wants": object.union(candidate({"metrics": {"held_out": 600}}), {"params": {"held_out": 601}}),
		"one that is being promoted": object.union(document(better), {"claims": {"model/digits": {"agent": "digits/executor", "state": "running"}}}),
	}
	count(proposals(doc)) == 0
}

test_does_not_compare_what_it_does_not_know[note] if {
	some note, signals in {
		"a candidate": {"candidate": {"state": "error", "last": version("2", 0.95)}, "production": ok(version("1", 0.9))},
		"a candidate's accuracy": {"candidate": ok(object.remove(version("2", 0.95), ["metrics"])), "production": ok(version("1", 0.9))},
		"the one in production": {"candidate": ok(version("2", 0.95)), "production": {"state": "empty"}},
		"the accuracy of the one in production": {"candidate": ok(version("2", 0.95)), "production": ok(object.remove(version("1", 0.9), ["metrics"]))},
	}
	count(proposals(object.union(object.remove(base, ["signals"]), {"signals": signals}))) == 0
}

test_held_out_samples_count_where_they_are_logged if {
	count(proposals(candidate({"metrics": {"held_out": 500}}))) == 1
}

# asked has a document remember that a version was asked for so many minutes ago.
asked(number, minutes) := {"memory": {"modeldebug.plan": {"last": {"event.send": {
	"at_ns": now_ns - (minutes * minute_ns),
	"outcome": "done",
	"with": {"type": "dev.scanflow.promote.requested", "data": {"model": "digits", "version": number}},
}}}}}

test_asks_once_for_a_version[note] if {
	some note, row in {
		"not again soon": {"document": asked("2", 9), "asks": 0},
		"again where nothing came of it": {"document": asked("2", 10), "asks": 1},
		"not again in its own time": {"document": object.union(asked("2", 10), {"params": {"ask_again_ns": 11 * minute_ns}}), "asks": 0},
		"at once for a newer one": {"document": asked("1", 1), "asks": 1},
	}
	count(proposals(document(object.union(better, row.document)))) == row.asks
}

# --- rolling out -------------------------------------------------------------------

test_serves_what_is_in_production if {
	promoted := {"signals": {"candidate": ok(version("2", 0.95)), "production": ok(version("2", 0.95))}}
	proposals(document(promoted)) == {{
		"primitive": "model.serve",
		"with": {"version": "2", "uri": "models:/digits/2", "env": "MODEL_URI"},
		"priority": 50,
		"reason": "another_version_in_production",
		"because": ["production"],
	}}
}

test_serves_on_any_trigger[note] if {
	some note, trigger in {
		"a tick": {"name": "tick", "kind": "every"},
		"the news of a promotion": {"kind": "event", "event": {"type": "dev.scanflow.model.promoted", "subject": "digits/digits"}},
		"the news of a rollback": {"kind": "event", "event": {"type": "dev.scanflow.model.rolledback", "subject": "digits/digits"}},
	}
	doc := document({"trigger": trigger, "target": {"model": "2"}})
	{p.with.version | some p in proposals(doc)} == {"1"}
}

test_serves_where_nothing_says_what_is_served if {
	unsaid := object.union(object.remove(base, ["target"]), {"target": {"namespace": "digits", "name": "digits"}})
	{p.with.version | some p in proposals(unsaid)} == {"1"}
}

test_names_the_variable if {
	doc := document({"target": {"model": "2"}, "params": {"model_env": "DIGITS_MODEL"}})
	{p.with.env | some p in proposals(doc)} == {"DIGITS_MODEL"}
}

test_does_not_roll_out[note] if {
	some note, production in {
		"what is served already": ok(version("1", 0.9)),
		"what nobody put into production": {"state": "empty"},
		"what it does not know": {"state": "error", "last": version("2", 0.9)},
	}
	doc := object.union(object.remove(base, ["signals"]), {"signals": {"candidate": ok(version("1", 0.9)), "production": production}})
	count(proposals(doc)) == 0
}

test_a_rollback_is_served_too_and_not_undone if {
	back := {
		"target": {"model": "2"},
		"signals": {"candidate": ok(object.union(version("2", 0.95), {"tags": {"scanflow.rolled_back": "serves_badly"}}))},
	}
	{[p.primitive, p.with.version] | some p in proposals(document(back))} == {["model.serve", "1"]}
}
