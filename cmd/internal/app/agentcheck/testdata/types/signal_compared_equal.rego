package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load", "ready"]} if {
	input.signals.load == input.signals.ready.value
}
