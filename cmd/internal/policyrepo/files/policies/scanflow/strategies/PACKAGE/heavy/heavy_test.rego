package scanflow.strategies.@PACKAGE@.heavy_test

import data.scanflow.strategies.@PACKAGE@.heavy

document(signal) := {
	"signals": {"memory": signal},
	"target": {"name": "me"},
	"params": {"bound": 5, "url": "http://127.0.0.1:9000/help"},
}

test_calls_for_help if {
	count(heavy.propose) == 1 with input as document({"state": "ok", "value": 6})
}

test_keeps_quiet[note] if {
	some note, signal in {
		"at the bound": {"state": "ok", "value": 5},
		"without a sample": {"state": "empty"},
		"on an old sample": {"state": "stale", "last": 6},
	}
	count(heavy.propose) == 0 with input as document(signal)
}
