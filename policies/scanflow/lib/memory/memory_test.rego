package scanflow.lib.memory_test

import data.scanflow.lib.memory

document(last) := {"now_ns": 100, "memory": {"a.b": {"last": last}}}

test_rested[note] if {
	some note, row in {
		"long enough": {"document": document({"restart": {"at_ns": 90, "outcome": "done"}}), "is": true},
		"not yet": {"document": document({"restart": {"at_ns": 91, "outcome": "done"}}), "is": false},
		"not yet, after a failure either": {"document": document({"restart": {"at_ns": 91, "outcome": "failed"}}), "is": false},
		"after another verb": {"document": document({"scale": {"at_ns": 99, "outcome": "done"}}), "is": true},
		"after nothing": {"document": {"now_ns": 100, "memory": {}}, "is": true},
	}
	is_rested(row.document) == row.is
}

default is_rested(_) := false

is_rested(document) if memory.rested("a.b", "restart", 10) with input as document
