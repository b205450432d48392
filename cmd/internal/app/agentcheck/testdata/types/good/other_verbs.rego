package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	not input.memory["t.sample"].last["workflow.run"]
	input.memory["t.sample"].last.traffic.with.weights.a > 5
}
