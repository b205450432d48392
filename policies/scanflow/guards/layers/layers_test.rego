package scanflow.guards.layers_test

import data.scanflow.guards.layers

retrain := {"workflow/retrain": {"agent": "digits/planner", "strategy": "modeldebug.plan", "verb": "workflow.run", "state": "running"}}

held := "under_change: digits/planner holds workflow/retrain"

base := {
	"agent": {"namespace": "digits", "name": "scaler", "layer": "infrastructure"},
	"target": {"namespace": "digits", "name": "digits", "replicas": {"desired": 3, "ready": 3}},
	"claims": retrain,
	"proposal": {"agent": "digits/scaler", "primitive": "restart", "with": {}},
}

proposal(verb, parameters) := {"agent": "digits/scaler", "primitive": verb, "with": parameters}

document(changes) := object.union(base, changes)

test_denies_what_cuts_across[note] if {
	some note, row in {
		"fewer replicas": {"verb": "scale", "with": {"replicas": 2}},
		"no replicas": {"verb": "scale", "with": {"replicas": 0}},
		"replicas that can't be compared": {"verb": "scale", "with": {}},
		"a bound below what there is": {"verb": "autoscaler", "with": {"max": 2}},
		"moving pods": {"verb": "place", "with": {"nodeSelector": {"disk": "ssd"}}},
		"moving pods, with a workflow that has no name": {"verb": "place", "with": {"workflow": ""}},
		"moving pods, with a template that has no name": {"verb": "place", "with": {"template": "", "move": true}},
		"a restart": {"verb": "restart", "with": {}},
		"turning traffic": {"verb": "traffic", "with": {"route": "digits", "weights": {"small": 100}}},
	}
	layers.deny == {held} with input as document({"proposal": proposal(row.verb, row.with)})
}

test_lets_pass[note] if {
	some note, row in {
		"more replicas": {"verb": "scale", "with": {"replicas": 4}},
		"as many replicas": {"verb": "scale", "with": {"replicas": 3}},
		"a bound with room": {"verb": "autoscaler", "with": {"max": 6}},
		"a bound at what there is": {"verb": "autoscaler", "with": {"max": 3}},
		"another lower bound": {"verb": "autoscaler", "with": {"min": 2}},
		"placing a workflow that has not started": {"verb": "place", "with": {"workflow": "batch-7"}},
		"placing what a template runs": {"verb": "place", "with": {"template": "batch"}},
		"moving what a template runs": {"verb": "place", "with": {"template": "batch", "move": true}},
		"what is no autoscaler's bound": {"verb": "annotate", "with": {"max": 1}},
		"a call": {"verb": "webhook", "with": {"url": "http://127.0.0.1/"}},
	}
	count(layers.deny) == 0 with input as document({"proposal": proposal(row.verb, row.with)})
}

test_every_change_counts[note] if {
	some note, name in {
		"a retraining": "workflow/retrain",
		"a detection": "workflow/detect",
		"a promotion": "model/digits",
		"a rollout": "model",
		"a shift": "traffic",
	}
	claims := {name: {"agent": "digits/planner", "state": "running"}}
	layers.deny == {sprintf("under_change: digits/planner holds %s", [name])} with input as object.union(object.remove(base, ["claims"]), {"claims": claims})
}

test_is_quiet[note] if {
	some note, row in {
		"with nothing under way": {"claims": {}},
		"when the change has ended": {"claims": {"model": {"agent": "digits/planner", "state": "cooling"}}},
		"in the agent's own change": {"claims": {"model": {"agent": "digits/scaler", "state": "running"}}},
		"with replicas being changed": {"claims": {"replicas": {"agent": "digits/planner", "state": "running"}}},
	}
	count(layers.deny) == 0 with input as object.union(object.remove(base, ["claims"]), row)
}

test_the_layer_decides[note] if {
	some note, row in {
		"infrastructure is bound": {"layer": "infrastructure", "reasons": {held}},
		"no layer is bound too": {"layer": "", "reasons": {held}},
		"application is not": {"layer": "application", "reasons": set()},
	}
	layers.deny == row.reasons with input as document({"agent": {"layer": row.layer}})
}

test_a_size_that_is_not_known_is_no_excuse[note] if {
	some note, row in {
		"scaling": {"verb": "scale", "with": {"replicas": 9}},
		"a bound": {"verb": "autoscaler", "with": {"max": 9}},
		"traffic": {"verb": "traffic", "with": {"weights": {"small": 100}}},
	}
	sizeless := {"target": {"namespace": "digits", "name": "digits"}, "proposal": proposal(row.verb, row.with)}
	layers.deny == {held} with input as object.union(object.remove(base, ["target"]), sizeless)
}

test_a_failover_passes if {
	gone := {"target": {"replicas": {"desired": 3, "ready": 0}}, "proposal": proposal("traffic", {"weights": {"small": 100}})}
	count(layers.deny) == 0 with input as document(gone)
}
