package scanflow.guards.scale_to_zero_test

import data.scanflow.guards.scale_to_zero

proposal(verb, replicas) := {"primitive": verb, "with": {"replicas": replicas}}

test_denies_the_last_replica if {
	scale_to_zero.deny == {"last_replica"} with input as {"proposal": proposal("scale", 0), "params": {}}
}

test_lets_pass[note] if {
	some note, document in {
		"one replica": {"proposal": proposal("scale", 1), "params": {}},
		"another verb": {"proposal": proposal("annotate", 0), "params": {}},
		"an agent that may": {"proposal": proposal("scale", 0), "params": {"allow_scale_to_zero": true}},
	}
	count(scale_to_zero.deny) == 0 with input as document
}
