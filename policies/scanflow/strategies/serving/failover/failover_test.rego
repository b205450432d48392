package scanflow.strategies.serving.failover_test

import data.scanflow.strategies.serving.failover

document(now, lately) := {
	"signals": {"ready_replicas": now, "ready_replicas_min": lately},
	"params": {"route": "digits", "primary": "large", "backup": "small"},
}

ok(value) := {"state": "ok", "value": value}

test_shifts[note] if {
	some note, row in {
		"to the backup when the primary is gone": {"now": ok(0), "lately": ok(0), "weights": {"large": 0, "small": 100}},
		"to the backup at once": {"now": ok(0), "lately": ok(2), "weights": {"large": 0, "small": 100}},
		"back when the primary has been there for a while": {"now": ok(2), "lately": ok(1), "weights": {"large": 100, "small": 0}},
	}
	proposals := failover.propose with input as document(row.now, row.lately)
	{p.with.weights | some p in proposals} == {row.weights}
}

test_waits[note] if {
	some note, row in {
		"until the primary has been there for a while": {"now": ok(2), "lately": ok(0)},
		"without knowing": {"now": {"state": "error", "last": 0}, "lately": ok(0)},
		"without having seen anything": {"now": {"state": "empty"}, "lately": {"state": "empty"}},
	}
	count(failover.propose) == 0 with input as document(row.now, row.lately)
}

test_names_the_kind_of_route[note] if {
	some note, row in {
		"of the Gateway API, if nothing is said": {"params": {}, "kind": "HTTPRoute"},
		"of Istio": {"params": {"route_kind": "VirtualService"}, "kind": "VirtualService"},
	}
	gone := document(ok(0), ok(0))
	proposals := failover.propose with input as object.union(gone, {"params": row.params})
	{[p.with.kind, p.with.route] | some p in proposals} == {[row.kind, "digits"]}
}

test_names_the_rule_of_a_route[note] if {
	some note, row in {
		"if it is said": {"params": {"route_rule": "main"}, "with": {"rule": "main"}},
		"and else none": {"params": {}, "with": {}},
	}
	gone := document(ok(0), ok(0))
	proposals := failover.propose with input as object.union(gone, {"params": row.params})
	{object.filter(p.with, {"rule"}) | some p in proposals} == {row["with"]}
}

# --- with the backup looked at ----------------------------------------------

second_ns := 1000000000

now_ns := 100000 * second_ns

# The primary takes 10 requests per second a replica, the backup 20.
sized := {
	"backup_requests_per_second_per_replica": 20,
	"primary_requests_per_second_per_replica": 10,
}

watched(changes) := object.union(
	{
		"now_ns": now_ns,
		"signals": {"ready_replicas": ok(4), "ready_replicas_min": ok(4), "backup_ready_replicas": ok(1), "requests_per_second": ok(40)},
		"params": object.union({"route": "digits", "primary": "large", "backup": "small"}, sized),
		"memory": {},
	},
	changes,
)

# acted has a document remember an act, some seconds ago, and failovers, as long ago.
acted(backup, ago, outcome, lost) := {"memory": {"serving.failover": {
	"last": {"traffic": {"at_ns": now_ns - (ago * second_ns), "outcome": outcome, "with": {"route": "digits", "weights": {"large": 100 - backup, "small": backup}}}},
	"note": {"failovers": past(lost)},
}}}

past(seconds) := [at | some s in seconds; at := now_ns - (s * second_ns)]

# wants is what is proposed: the backup's weight and the reason.
wants(doc) := found if found := {[p.with.weights.small, p.reason] | some p in failover.propose; p.reason != "params_with_mistakes"} with input as doc

test_looks_at_the_backup[note] if {
	some note, row in {
		"gone, and one of the backup is ready": {"primary": 0, "least": 0, "backup": 1, "held": 0, "want": {[100, "primary_not_ready"]}},
		"gone, and the backup is too: no traffic to nothing": {"primary": 0, "least": 0, "backup": 0, "held": 0, "want": set()},
		"gone, and then the backup too: it stays": {"primary": 0, "least": 0, "backup": 0, "held": 100, "want": set()},
		"the backup gone, and the primary has one, if only just": {"primary": 1, "least": 0, "backup": 0, "held": 100, "want": {[0, "backup_not_ready"]}},
		"the backup gone, and it has no traffic": {"primary": 4, "least": 4, "backup": 0, "held": 0, "want": {[0, "backup_not_ready"]}},
		"short by a quarter": {"primary": 3, "least": 3, "backup": 1, "held": 0, "want": {[30, "primary_short"]}},
		"short by three quarters, more than the backup carries": {"primary": 1, "least": 1, "backup": 1, "held": 0, "want": {[50, "primary_short"]}},
		"short by three quarters, and the backup has grown": {"primary": 1, "least": 1, "backup": 2, "held": 50, "want": {[80, "primary_short"]}},
		"short, and the backup carries a little more than it has": {"primary": 1, "least": 1, "backup": 1, "held": 40, "want": {[40, "primary_short"]}},
		"short, and the backup carries more than it has": {"primary": 1, "least": 1, "backup": 1, "held": 30, "want": {[40, "primary_short"]}},
		"short, and the backup has that already": {"primary": 3, "least": 3, "backup": 2, "held": 30, "want": {[30, "primary_short"]}},
		"less short than it was": {"primary": 3, "least": 1, "backup": 2, "held": 80, "want": set()},
		"short, and the backup has none ready": {"primary": 3, "least": 3, "backup": 0, "held": 0, "want": {[0, "backup_not_ready"]}},
		"all on the backup, which is too much for it": {"primary": 1, "least": 1, "backup": 1, "held": 100, "want": {[50, "backup_above_capacity"]}},
		"the same, and the primary was there for a moment only": {"primary": 1, "least": 0, "backup": 1, "held": 100, "want": set()},
		"enough of it again, but not for a while": {"primary": 4, "least": 3, "backup": 2, "held": 100, "want": set()},
		"enough of it for a while": {"primary": 4, "least": 4, "backup": 2, "held": 100, "want": {[0, "primary_ready_for_a_while"]}},
	}
	doc := watched(object.union(
		{"signals": {"ready_replicas": ok(row.primary), "ready_replicas_min": ok(row.least), "backup_ready_replicas": ok(row.backup)}},
		acted(row.held, 1000, "done", []),
	))
	highest(doc) == row.want
}

# highest are those of the proposals that the arbiter leaves: one act writes the route.
highest(doc) := found if {
	proposals := failover.propose with input as doc
	found := {[p.with.weights.small, p.reason] | some p in proposals; p.priority == max({q.priority | some q in proposals})}
}

test_tens_of_percent[note] if {
	some note, row in {
		"up to the next ten": {"load": 41, "want": {[30, "primary_short"]}},
		"never more than it carries": {"load": 150, "want": {[13, "primary_short"]}},
		"none where there is no load": {"load": 0, "want": {[0, "primary_ready_for_a_while"]}},
	}
	doc := watched({"signals": {"ready_replicas": ok(3), "ready_replicas_min": ok(3), "requests_per_second": ok(row.load)}})
	wants(doc) == row.want
}

missing := {
	"empty": {"state": "empty"},
	"nan": {"state": "nan", "last": 0},
	"stale": {"state": "stale", "last": 0},
	"error": {"state": "error", "last": 0},
}

# What is left to do where one signal is missing, whatever state it is in: the others
# say that the primary is gone, that it is short, or that it is back.
test_holds_on_missing_data[sprintf("%s, %s", [note, state])] if {
	some state, signal in missing
	some note, row in {
		"gone, without the primary": {"primary": 0, "gone": "ready_replicas", "want": set()},
		"gone, without its least": {"primary": 0, "gone": "ready_replicas_min", "want": {[100, "primary_not_ready"]}},
		"gone, without the backup": {"primary": 0, "gone": "backup_ready_replicas", "want": set()},
		"gone, without the load": {"primary": 0, "gone": "requests_per_second", "want": {[100, "primary_not_ready"]}},
		"short, without the primary": {"primary": 3, "gone": "ready_replicas", "want": set()},
		"short, without the backup": {"primary": 3, "gone": "backup_ready_replicas", "want": set()},
		"short, without the load": {"primary": 3, "gone": "requests_per_second", "want": set()},
		"back, without the primary": {"primary": 4, "gone": "ready_replicas", "want": set()},
		"back, without its least": {"primary": 4, "gone": "ready_replicas_min", "want": set()},
		"back, without the load": {"primary": 4, "gone": "requests_per_second", "want": set()},
		"back, without the backup": {"primary": 4, "gone": "backup_ready_replicas", "want": {[0, "primary_ready_for_a_while"]}},
	}
	readings := object.union({"ready_replicas": ok(row.primary), "ready_replicas_min": ok(row.primary)}, {row.gone: signal})
	doc := watched({"signals": readings})
	wants(without(doc, row.gone)) == row.want
}

# A param that wants a signal which the agent does not have shows: the engine refuses
# what rests on it, by its name.
test_a_signal_that_is_not_declared_shows[note] if {
	some note, row in {
		"the backup": {"primary": 0, "gone": "backup_ready_replicas"},
		"the load": {"primary": 4, "gone": "requests_per_second"},
	}
	doc := json.remove(watched({"signals": {"ready_replicas": ok(row.primary)}}), [sprintf("signals/%s", [row.gone])])
	proposals := failover.propose with input as doc
	count(proposals) == 1
	every p in proposals { row.gone in p.because }
}

# without takes the value away that object.union left below a signal.
without(doc, name) := json.remove(doc, [sprintf("signals/%s/value", [name])])

# Defect 1 of the published system: the text "0" is not the number.
test_a_text_is_no_number[note] if {
	some note, row in {
		"now": {"now": ok("0"), "lately": ok(1)},
		"lately": {"now": ok(1), "lately": ok("0")},
		"both": {"now": ok("2"), "lately": ok("2")},
	}
	every params in [{}, sized] {
		doc := watched({"signals": {"ready_replicas": row.now, "ready_replicas_min": row.lately, "requests_per_second": ok(10)}})
		plain := object.union(object.remove(doc, ["params"]), {"params": object.union({"route": "digits", "primary": "large", "backup": "small"}, params)})
		count(wants(plain)) == 0
	}
}

# --- and back ----------------------------------------------------------------

back(params, memory) := object.union_n([
	document(ok(2), ok(1)),
	{"now_ns": now_ns},
	{"params": params},
	memory,
])

test_goes_back_in_steps[note] if {
	stepwise := {"back_steps": [10, 50, 100], "step_ns": 30 * second_ns}
	some note, row in {
		"at once, if nothing is said": {"params": {}, "memory": acted(100, 1, "done", []), "want": 0},
		"the first step": {"params": stepwise, "memory": acted(100, 30, "done", []), "want": 90},
		"the first step stands": {"params": stepwise, "memory": acted(90, 29, "done", []), "want": 90},
		"the second": {"params": stepwise, "memory": acted(90, 30, "done", []), "want": 50},
		"the last": {"params": stepwise, "memory": acted(50, 30, "done", []), "want": 0},
		"the last stands": {"params": stepwise, "memory": acted(0, 1, "done", []), "want": 0},
		"a step that failed is taken again": {"params": stepwise, "memory": acted(90, 300, "failed", []), "want": 90},
		"a step that never began is taken again": {"params": stepwise, "memory": acted(90, 300, "abandoned", []), "want": 90},
		"a step under way is not left behind": {"params": stepwise, "memory": acted(90, 300, "running", []), "want": 90},
		"a step that changed nothing counts": {"params": stepwise, "memory": acted(90, 30, "noop", []), "want": 50},
		"from where a shortage left it": {"params": stepwise, "memory": acted(30, 30, "done", []), "want": 0},
		"all of it last, though not written": {"params": {"back_steps": [20]}, "memory": acted(80, 1, "done", []), "want": 0},
		"by no step that is none": {"params": {"back_steps": ["10", -5, 0, 200]}, "memory": acted(100, 1, "done", []), "want": 0},
		"without memory": {"params": stepwise, "memory": {"memory": {}}, "want": 0},
	}
	wants(back(row.params, row.memory)) == {[row.want, "primary_ready_for_a_while"]}
}

test_a_loss_on_the_way_back_is_a_loss if {
	doc := object.union(back({"back_steps": [10, 50]}, acted(50, 1, "done", [60])), {"signals": {"ready_replicas": ok(0), "ready_replicas_min": ok(0)}})
	proposals := failover.propose with input as doc
	{[p.with.weights.small, p.note.failovers] | some p in proposals} == {[100, [now_ns - (60 * second_ns), now_ns]]}
}

# A primary that flaps: each loss has the traffic stay at the backup twice as long.
test_waits_longer_after_each_loss[note] if {
	patient := {"healthy_ns": 60 * second_ns, "flap_window_ns": 600 * second_ns, "healthy_max_ns": 200 * second_ns}
	some note, row in {
		"one loss, waited": {"lost": [60], "want": 0},
		"one loss, not yet": {"lost": [59], "want": 100},
		"two losses, waited": {"lost": [400, 120], "want": 0},
		"two losses, not yet": {"lost": [400, 119], "want": 100},
		"three losses, at most": {"lost": [500, 400, 200], "want": 0},
		"three losses, not yet": {"lost": [500, 400, 199], "want": 100},
		"one of them is too long ago to count": {"lost": [600, 60], "want": 0},
		"all of them are": {"lost": [700, 600], "want": 0},
		"no loss is known": {"lost": [], "want": 0},
	}
	wants(back(patient, acted(100, 1000, "done", row.lost))) == {[row.want, "primary_ready_for_a_while"]}
}

test_the_wait_is_never_less_than_was_said if {
	wants(back({"healthy_ns": 5000 * second_ns, "flap_window_ns": 10 * second_ns, "healthy_max_ns": second_ns}, acted(100, 9000, "done", [4999]))) == {[100, "primary_ready_for_a_while"]}
}

test_counts_losses[note] if {
	some note, row in {
		"the first": {"memory": {"memory": {}}, "want": [now_ns]},
		"another": {"memory": acted(0, 100, "done", [300]), "want": [now_ns - (300 * second_ns), now_ns]},
		"one long after the last": {"memory": acted(0, 100, "done", [3600]), "want": [now_ns]},
		"one that stands": {"memory": acted(100, 100, "done", [100]), "want": [now_ns - (100 * second_ns)]},
		"one that failed": {"memory": acted(100, 100, "failed", [100]), "want": [now_ns - (100 * second_ns)]},
		"the last 16": {"memory": acted(0, 1, "done", numbers.range(40, 21)), "want": array.concat(past(numbers.range(35, 21)), [now_ns])},
	}
	some params in [{}, sized]
	doc := object.union(object.union(watched(row.memory), {"params": params}), {"signals": {"ready_replicas": ok(0)}})
	proposals := failover.propose with input as doc
	{p.note.failovers | some p in proposals} == {row.want}
}

# --- with a memory that is odd --------------------------------------------------

# A failover whose end is not known, or that somebody else has changed since, is no
# reason to leave the traffic where nothing answers.
test_leaves_a_backup_that_is_gone[note] if {
	some note, row in {
		"nothing is remembered": {"memory": {}},
		"the way back failed": acted(0, 5, "failed", [60]),
		"the way back was never ended": acted(0, 5, "running", [60]),
		"the way back is done, and the route was changed since": acted(0, 5, "done", [60]),
		"the memory is of another route": {"memory": {"serving.failover": {"last": {"traffic": {"at_ns": 1, "outcome": "done", "with": {"weights": {"other": 100}}}}}}},
	}

	# Too few for the load, and only just there, so that it is no way back.
	doc := object.union(watched({"signals": {"ready_replicas": ok(1), "ready_replicas_min": ok(0), "backup_ready_replicas": ok(0)}}), row)
	highest(doc) == {[0, "backup_not_ready"]}
}

test_a_smaller_share_that_failed_is_taken_again[note] if {
	some note, row in {
		"failed": {"memory": acted(50, 5, "failed", []), "want": {[50, "backup_above_capacity"]}},
		"failed, and the backup carries less": {"memory": acted(80, 5, "failed", []), "want": {[50, "backup_above_capacity"]}},
		"done": {"memory": acted(50, 5, "done", []), "want": set()},
		"the way back failed: that goes on": {"memory": acted(0, 5, "failed", []), "want": set()},
	}

	# Enough for the load, but not for a while: neither short nor back.
	doc := object.union(watched({"signals": {"ready_replicas": ok(4), "ready_replicas_min": ok(3), "backup_ready_replicas": ok(1)}}), row.memory)
	wants(doc) == row.want
}

# A note of another shape is none.
test_a_note_of_another_shape[note] if {
	some note, failovers in {
		"nothing": null,
		"a number": 3,
		"a text": "many",
		"an object": {"a": 1},
		"texts and nothing in a list": ["yesterday", null, [1]],
	}
	memory := {"memory": {"serving.failover": {
		"last": {"traffic": {"at_ns": 1, "outcome": "done", "with": {"weights": {"large": 0, "small": 100}}}},
		"note": {"failovers": failovers},
	}}}
	wants(back({"healthy_ns": 60 * second_ns}, memory)) == {[0, "primary_ready_for_a_while"]}
	lost := object.union(watched(object.union(acted(0, 5, "done", []), {"signals": {"ready_replicas": ok(0)}})), {"memory": {"serving.failover": {"note": {"failovers": failovers}}}})
	proposals := failover.propose with input as lost
	{p.note.failovers | some p in proposals} == {[now_ns]}
}

# A clock that was ahead and is set back leaves losses that are still to come.
test_a_loss_that_lies_ahead_holds_nothing_up[note] if {
	some note, row in {
		"by a day": {"lost": [-86400], "want": 0},
		"by more than is waited": {"lost": [-61], "want": 0},
		"by a moment: that is waited for": {"lost": [-1], "want": 100},
	}
	wants(back({"healthy_ns": 60 * second_ns}, acted(100, 1000, "done", row.lost))) == {[row.want, "primary_ready_for_a_while"]}
}

# --- with params that make no sense ---------------------------------------------

test_a_capacity_below_zero_is_none[note] if {
	some note, row in {
		"gone": {"primary": 0, "least": 0, "want": {[100, "primary_not_ready"]}},
		"back": {"primary": 4, "least": 4, "want": {[0, "primary_ready_for_a_while"]}},
	}
	below := {"primary_requests_per_second_per_replica": -10, "backup_requests_per_second_per_replica": -20}
	doc := watched({"signals": {"ready_replicas": ok(row.primary), "ready_replicas_min": ok(row.least)}, "params": below})
	wants(doc) == row.want
}

test_a_step_is_a_whole_percent if {
	wants(back({"back_steps": [33.3, 50.5]}, acted(100, 1, "done", []))) == {[66, "primary_ready_for_a_while"]}
}

test_mistakes_are_said[name] if {
	some name in ["backup_requests_per_second_per_replica", "primary_requests_per_second_per_replica", "step_ns", "healthy_ns", "flap_window_ns", "healthy_max_ns"]
	said(failover.propose, name) with input as object.union(watched({}), {"params": {name: -1}})
}

said(proposals, name) if {
	some p in proposals
	p.reason == "params_with_mistakes"
	count(object.get(p.with, "mistakes", [])) == 1
	startswith(object.get(p.with, "mistakes", [""])[0], sprintf("params.%s: ", [name]))
}
