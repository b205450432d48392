package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load:empty"]} if {
	input.signals.load.state in {"empty", "stael"}
}
