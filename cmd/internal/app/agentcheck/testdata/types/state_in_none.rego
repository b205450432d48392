package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load:empty"]} if {
	not input.signals.load.state in {"good", "fine"}
}
