package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	input.now_ns - input.memory["t.sample"].last.scale.at > 60
}
