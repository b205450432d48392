package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	input.memory["t.smaple"].last.scale.outcome == "failed"
}
