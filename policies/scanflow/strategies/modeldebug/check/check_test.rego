package scanflow.strategies.modeldebug.check_test

import data.scanflow.strategies.modeldebug.check

minute_ns := 60000000000

now_ns := 10000 * minute_ns

ok(value) := {"state": "ok", "value": value}

base := {
	"now_ns": now_ns,
	"trigger": {"name": "tick", "kind": "every"},
	"target": {"namespace": "digits", "name": "digits"},
	"signals": {"critical": ok(51), "above": ok(200), "detections": ok(2), "scored": ok(2000), "trainings": ok(0)},
	"params": {},
	"memory": {},
	"claims": {},
}

document(changes) := object.union(base, changes)

signals(changes) := document({"signals": changes})

reasons(doc) := found if found := {p.reason | some p in check.propose} with input as doc

# --- detecting ---------------------------------------------------------------

request(content) := {"trigger": {"name": "asked", "kind": "event", "event": {
	"id": "e1",
	"source": "/agents/digits/tracker",
	"type": "dev.scanflow.check.requested",
	"subject": "digits/digits",
	"data": content,
}}}

quiet := {"signals": {"critical": ok(0)}}

# ran has a document remember a detection up to a time.
ran(until_ms, outcome) := {"memory": {"modeldebug.check": {"last": {"workflow.run": {
	"at_ns": now_ns - minute_ns,
	"outcome": outcome,
	"with": {"template": "detect", "name": "detect", "parameters": {"until_ms": until_ms}},
}}}}}

test_detects_when_asked_to if {
	check.propose == {{
		"primitive": "workflow.run",
		"with": {"template": "detect", "name": "detect", "parameters": {"until_ms": "1764000000123"}},
		"reason": "check_requested",
		"because": [],
	}} with input as document(object.union(quiet, request({"until_ms": 1764000000123})))
}

test_detects_by_its_own_template if {
	named := {"params": {"detect_template": "scan", "detect_parameters": {"share": "0.1"}}}
	proposals := check.propose with input as document(object.union_n([quiet, request({"until_ms": 7}), named]))
	{p.with | some p in proposals} == {{"template": "scan", "name": "detect", "parameters": {"share": "0.1", "until_ms": "7"}}}
}

test_a_request_is_answered_once[note] if {
	some note, row in {
		"anew for a later time": {"memory": ran("99", "done"), "runs": 1},
		"not for the same time": {"memory": ran("100", "done"), "runs": 0},
		"not for a time before that": {"memory": ran("101", "done"), "runs": 0},
		"not while that is under way": {"memory": ran("100", "running"), "runs": 0},
		"anew where that failed": {"memory": ran("100", "failed"), "runs": 1},
		"anew where that never began": {"memory": ran("100", "abandoned"), "runs": 1},
	}
	proposals := check.propose with input as document(object.union_n([quiet, request({"until_ms": 100}), row.memory]))
	count(proposals) == row.runs
}

test_does_not_detect[note] if {
	some note, row in {
		"for another target": object.union(request({"until_ms": 1}), {"trigger": {"event": {"subject": "digits/letters"}}}),
		"for another event": object.union(request({"until_ms": 1}), {"trigger": {"event": {"type": "dev.scanflow.retrain.requested"}}}),
		"up to no time": request({}),
		"up to a text": request({"until_ms": "1"}),
		"at a tick": {},
	}
	count(check.propose) == 0 with input as document(object.union(quiet, row))
}

# --- asking for a retraining ---------------------------------------------------

test_asks_for_a_retraining if {
	check.propose == {{
		"primitive": "event.send",
		"with": {"type": "dev.scanflow.retrain.requested", "data": {"critical": 51, "detections": 2}},
		"reason": "critical_samples_gathered",
		"because": ["critical", "above", "detections", "scored"],
		"marks": ["retrained"],
		"note": {"asked": [now_ns]},
	}} with input as base
}

test_waits[note] if {
	some note, row in {
		"at the published number": {"critical": ok(50)},
		"on one detection alone": {"detections": ok(1)},
		"on too few predictions": {"scored": ok(499)},
		"while less than a tenth is critical": {"above": ok(199)},
		"without knowing how much is": {"above": {"state": "error", "last": 900}},
		"with nothing gathered": {"critical": {"state": "empty"}},
		"when counting failed": {"critical": {"state": "error", "last": 900}},
		"on an old count": {"scored": {"state": "stale", "last": 9000}},
		"without knowing of how many detections": {"detections": {"state": "nan", "last": 9}},
	}
	count(check.propose) == 0 with input as object.union(
		object.remove(base, ["signals"]),
		{"signals": object.union(object.remove(base.signals, object.keys(row)), row)},
	)
}

test_thresholds_are_parameters[note] if {
	some note, row in {
		"critical": {"params": {"critical": 51}},
		"detections": {"params": {"detections": 3}},
		"samples": {"params": {"samples": 2001}},
		"share": {"params": {"share": 0.11}},
	}
	count(check.propose) == 0 with input as document(row)
}

test_does_not_ask_while_a_retraining_is_under_way[note] if {
	some note, state in {"running": "running", "just ended": "cooling"}
	count(check.propose) == 0 with input as document({"claims": {"workflow/retrain": {"agent": "digits/planner", "state": state}}})
}

test_asks_at_its_thresholds if {
	reasons(signals({"detections": ok(2), "scored": ok(500)})) == {"critical_samples_gathered"}
}

drift(signal) := {"signals": {"drift": signal}, "params": {"psi": 0.1}}

test_drift_must_agree[note] if {
	some note, row in {
		"and it does": {"document": drift(ok({"psi": 0.1, "samples": 2000})), "reasons": {"critical_samples_and_drift"}},
		"and it does not": {"document": drift(ok({"psi": 0.09, "samples": 2000})), "reasons": set()},
		"and it says nothing": {"document": drift({"state": "empty"}), "reasons": set()},
		"and it can't be measured": {"document": drift({"state": "error", "last": {"psi": 0.9}}), "reasons": set()},
		"and there is no such sensor": {"document": {"params": {"psi": 0.1}}, "reasons": set()},
		"beside the rest": {"document": object.union(drift(ok({"psi": 0.9})), {"signals": {"critical": ok(50)}}), "reasons": set()},
		"unless no bound is set": {"document": {"signals": {"drift": ok({"psi": 0})}}, "reasons": {"critical_samples_gathered"}},
	}
	reasons(document(row.document)) == row.reasons
}

test_drift_is_among_the_evidence if {
	proposals := check.propose with input as document(drift(ok({"psi": 0.3, "samples": 2000})))
	{p.because | some p in proposals} == {["critical", "above", "detections", "scored", "drift"]}
	{[p.marks, p.note] | some p in proposals} == {[["retrained"], {"asked": [now_ns]}]}
}

# asked has a document remember requests of so many minutes ago, the newest first.
asked(minutes) := {"memory": {"modeldebug.check": {
	"note": {"asked": [at | some m in minutes; at := now_ns - (m * minute_ns)]},
	"last": {"event.send": {
		"at_ns": now_ns - (minutes[0] * minute_ns),
		"outcome": "done",
		"with": {"type": "dev.scanflow.retrain.requested", "data": {"critical": 70, "detections": 3}},
	}},
}}}

test_asks_no_more_often_than_it_may[note] if {
	some note, row in {
		"an hour after the last": {"document": asked([60]), "asks": 1},
		"not sooner": {"document": asked([59]), "asks": 0},
		"not sooner than its own interval": {"document": object.union(asked([90]), {"params": {"interval_ns": 91 * minute_ns}}), "asks": 0},
		"within the budget": {"document": asked([60, 200, 300]), "asks": 1},
		"not beyond the budget": {"document": asked([60, 200, 300, 400]), "asks": 0},
		"not beyond its own budget": {"document": object.union(asked([60]), {"params": {"retrains": 1}}), "asks": 0},
		"again once the first is long ago": {"document": asked([60, 200, 300, 1440]), "asks": 1},
		"again once it is longer ago than its own span": {
			"document": object.union(asked([60, 80]), {"params": {"retrains": 2, "retrains_per_ns": 70 * minute_ns}}),
			"asks": 1,
		},
	}
	proposals := check.propose with input as document(row.document)
	count(proposals) == row.asks
}

test_remembers_what_counts_towards_the_budget if {
	proposals := check.propose with input as document(asked([60, 1439, 1440]))
	{p.note | some p in proposals} == {{"asked": [now_ns - (60 * minute_ns), now_ns - (1439 * minute_ns), now_ns]}}
}

unanswered := object.union(asked([60]), {"signals": {"critical": ok(3)}})

test_asks_again_where_no_training_came if {
	check.propose == {{
		"primitive": "event.send",
		"with": {"type": "dev.scanflow.retrain.requested", "data": {"critical": 70, "detections": 3}},
		"reason": "retraining_unanswered",
		"because": ["critical", "above", "detections", "scored", "trainings"],
		"note": {"asked": [now_ns - (60 * minute_ns), now_ns]},
	}} with input as document(unanswered)
}

test_asks_again_where_there_never_was_a_training[note] if {
	some note, row in {
		"an hour after it asked": {"document": document(unanswered), "asks": {["critical", "above", "detections", "scored", "trainings:empty"]}},
		"not sooner": {"document": document(object.union(unanswered, asked([59]))), "asks": set()},
	}
	never := object.union(object.remove(row.document.signals, ["trainings"]), {"trainings": {"state": "empty"}})
	found := check.propose with input as object.union(object.remove(row.document, ["signals"]), {"signals": never})
	{p.because | some p in found} == row.asks
}

test_does_not_ask_again[note] if {
	some note, row in {
		"when a training came": {"signals": {"trainings": ok(1)}},
		"while there is time": asked([59]),
		"while there is time of its own": {"params": {"ask_again_ns": 61 * minute_ns}},
		"while one is under way": {"claims": {"workflow/retrain": {"agent": "digits/planner", "state": "running"}}},
		"beyond the budget": {"params": {"retrains": 1}},
	}
	count(check.propose) == 0 with input as document(object.union(unanswered, row))
}

test_does_not_ask_again_before_it_asked if {
	count(check.propose) == 0 with input as signals({"critical": ok(3)})
}

test_does_not_ask_again_without_knowing if {
	blind := {"critical": ok(3), "detections": ok(2), "scored": ok(2000), "trainings": {"state": "error", "last": 0}}
	count(check.propose) == 0 with input as object.union(object.remove(document(unanswered), ["signals"]), {"signals": blind})
}

test_asks_once_at_a_time if {
	reasons(document(asked([60]))) == {"critical_samples_gathered"}
}
