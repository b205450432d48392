package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["drift"]} if {
	input.signals.drift.value.psii > 0.2
}
