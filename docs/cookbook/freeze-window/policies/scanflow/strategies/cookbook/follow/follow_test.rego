package scanflow.strategies.cookbook.follow_test

import data.scanflow.strategies.cookbook.follow

document(production) := {"target": {"model": "6"}, "signals": {"production": production}}

test_follows if {
	proposals := follow.propose with input as document({"state": "ok", "value": {"version": "7"}})
	{p["with"].version | some p in proposals} == {"7"}
}

test_waits[note] if {
	some note, production in {
		"where it is served": {"state": "ok", "value": {"version": "6"}},
		"where it is not known": {"state": "error"},
	}
	count(follow.propose) == 0 with input as document(production)
}
