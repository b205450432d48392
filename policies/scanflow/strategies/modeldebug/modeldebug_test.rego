# The four strategies together: each step's document is made from what the steps
# before proposed, as the engine and the world would have made it. The clock is in
# minutes.
package scanflow.strategies.modeldebug_test

import data.scanflow.strategies.modeldebug.check
import data.scanflow.strategies.modeldebug.execute
import data.scanflow.strategies.modeldebug.plan
import data.scanflow.strategies.modeldebug.track

minute_ns := 60000000000

ok(value) := {"state": "ok", "value": value}

document(minute, trigger, signals, memory) := {
	"now_ns": minute * minute_ns,
	"trigger": trigger,
	"target": {"namespace": "digits", "name": "digits", "model": "1"},
	"signals": signals,
	"params": {},
	"memory": memory,
	"claims": {},
}

tick := {"name": "tick", "kind": "every"}

# told is the trigger of whoever gets the event that a proposal sends.
told(id, proposal) := {"name": "asked", "kind": "event", "event": {
	"id": id,
	"source": "/agents/digits/somebody",
	"type": proposal.with.type,
	"subject": "digits/digits",
	"data": proposal.with.data,
}}

# remembered is an agent's memory after a proposal of one of its strategies.
remembered(strategy, minute, outcome, proposal) := {strategy: object.union(
	{"last": {proposal.primitive: {"at_ns": minute * minute_ns, "outcome": outcome, "with": proposal.with}}},
	{"note": note | note := proposal.note},
)}

version(number, accuracy) := {
	"model": "digits",
	"version": number,
	"run_id": concat("", ["run", number]),
	"tags": {},
	"metrics": {"accuracy": accuracy, "held_out": 1000},
}

rolled_back(number, accuracy) := object.union(version(number, accuracy), {"tags": {"scanflow.rolled_back": "serves_badly"}})

# --- a thousand predictions are logged -----------------------------------------------

check_request := p if {
	seen := {"new_predictions": ok(1000), "checks": ok(0)}
	at_hand := object.union(document(60, tick, seen, {}), {"params": {"experiment": "digits-predictions"}})
	some p in track.propose with input as at_hand
}

test_tracker_asks_for_a_check if check_request.with.type == "dev.scanflow.check.requested"

# --- and scored ----------------------------------------------------------------------

found(critical, detections, scored, trainings) := {
	"critical": ok(critical),
	"above": ok(2 * critical),
	"detections": ok(detections),
	"scored": ok(scored),
	"trainings": ok(trainings),
}

detection := p if {
	some p in check.propose with input as document(60, told("check1", check_request), found(0, 0, 0, 1), {})
}

test_checker_detects if {
	detection.with == {"template": "detect", "name": "detect", "parameters": {"until_ms": "3600000"}}
}

test_checker_detects_once_for_a_request_that_comes_twice if {
	again := document(61, told("check1", check_request), found(0, 0, 0, 1), remembered("modeldebug.check", 60, "running", detection))
	count(check.propose) == 0 with input as again
}

test_checker_waits_for_a_second_detection if {
	count(check.propose) == 0 with input as document(70, tick, found(60, 1, 1000, 1), {})
}

retrain_request := p if {
	some p in check.propose with input as document(130, tick, found(110, 2, 2000, 1), {})
}

test_checker_asks_for_a_retraining if {
	retrain_request.with == {"type": "dev.scanflow.retrain.requested", "data": {"critical": 110, "detections": 2}}
	retrain_request.marks == ["retrained"]
}

# --- a model is trained, once, however often that is asked for -----------------------

first := version("1", 0.6)

registry(candidate, production) := {"candidate": ok(candidate), "production": ok(production)}

training := p if {
	some p in plan.propose with input as document(130, told("retrain1", retrain_request), registry(first, first), {})
}

test_planner_retrains if training.primitive == "workflow.run"

# Defect 7 of the published system: a repeated request started a second retraining.
test_planner_retrains_once[note] if {
	some note, row in {
		"for a request that comes twice": {"id": "retrain1", "minute": 500, "outcome": "done"},
		"for two requests in a row": {"id": "retrain2", "minute": 131, "outcome": "running"},
		"for a request when it has just ended": {"id": "retrain2", "minute": 150, "outcome": "done"},
	}
	memory := remembered("modeldebug.plan", 130, row.outcome, training)
	count(plan.propose) == 0 with input as document(row.minute, told(row.id, retrain_request), registry(first, first), memory)
}

# The training failed: no version came of it. The checker, whose count began anew
# with its request, asks again an hour later, and that starts another.
second_request := p if {
	memory := remembered("modeldebug.check", 130, "done", retrain_request)
	some p in check.propose with input as document(190, tick, found(0, 0, 0, 0), memory)
}

test_a_request_that_came_to_nothing_is_made_again if {
	second_request.with == retrain_request.with
	memory := remembered("modeldebug.plan", 130, "failed", training)
	again := document(190, told("retrain2", second_request), registry(first, first), memory)
	{p.primitive | some p in plan.propose} == {"workflow.run"} with input as again
}

# --- it is better, and is promoted and served ----------------------------------------

second := version("2", 0.9)

promote_request := p if {
	memory := remembered("modeldebug.plan", 130, "done", training)
	some p in plan.propose with input as document(200, tick, registry(second, first), memory)
}

test_planner_asks_for_the_promotion if {
	promote_request.with.type == "dev.scanflow.promote.requested"
	promote_request.with.data.version == "2"
}

live(accuracy, samples) := {"live_accuracy": ok(accuracy), "live_samples": ok(samples)}

promotion := p if {
	seen := object.union(registry(second, first), live(0.62, 400))
	some p in execute.propose with input as document(200, told("promote1", promote_request), seen, {})
}

test_executor_promotes if promotion.with == {"model": "digits", "version": "2"}

test_executor_promotes_once_for_a_request_that_comes_twice if {
	seen := object.union(registry(second, second), live(0.62, 400))
	memory := remembered("modeldebug.execute", 200, "done", promotion)
	count(execute.propose) == 0 with input as document(201, told("promote1", promote_request), seen, memory)
}

news(type) := {"name": "told", "kind": "event", "event": {"id": "n", "source": "s", "type": type, "subject": "digits/digits"}}

rollout := p if {
	some p in plan.propose with input as document(201, news("dev.scanflow.model.promoted"), registry(second, second), {})
}

test_planner_rolls_it_out if rollout.with == {"version": "2", "uri": "models:/digits/2", "env": "MODEL_URI"}

in_service(number, doc) := object.union(doc, {"target": {"model": number}})

test_then_all_is_quiet if {
	memory := remembered("modeldebug.execute", 200, "done", promotion)
	well := in_service("2", document(202, tick, object.union(registry(second, second), live(0.88, 400)), memory))
	count(execute.propose) == 0 with input as well
	count(plan.propose) == 0 with input as well
}

# --- it serves badly after all, and is gone for good ---------------------------------

bad := in_service("2", document(
	203, tick,
	object.union(registry(second, second), live(0.3, 150)),
	remembered("modeldebug.execute", 200, "done", promotion),
))

rollback := p if {
	some p in execute.propose with input as bad
}

test_executor_rolls_back if rollback.with == {"model": "digits", "reason": "serves_badly"}

test_planner_goes_back_and_does_not_ask_for_it_again if {
	back := in_service("2", document(204, news("dev.scanflow.model.rolledback"), registry(rolled_back("2", 0.9), first), {}))
	{[p.primitive, p.with.version] | some p in plan.propose} == {["model.serve", "1"]} with input as back
}

test_executor_does_not_promote_it_again_where_the_tag_was_lost if {
	seen := object.union(registry(second, first), live(0.62, 400))
	memory := remembered("modeldebug.execute", 203, "done", rollback)
	count(execute.propose) == 0 with input as document(230, told("promote2", promote_request), seen, memory)
}
