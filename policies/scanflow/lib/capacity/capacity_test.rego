package scanflow.lib.capacity_test

import data.scanflow.lib.capacity

test_replicas[note] if {
	some note, row in {
		"no load keeps one": {"load": 0, "each": 20, "want": 1},
		"a full replica is enough": {"load": 20, "each": 20, "want": 1},
		"a little more needs another": {"load": 20.1, "each": 20, "want": 2},
		"many": {"load": 199, "each": 20, "want": 10},
	}
	capacity.replicas(row.load, row.each) == row.want
}

test_replicas_wants_a_positive_share if {
	not capacity.replicas(10, 0)
	not capacity.replicas(10, -1)
}
