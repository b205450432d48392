package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load", "ready"]} if {
	max([input.signals.load, input.signals.ready]) > 5
}
