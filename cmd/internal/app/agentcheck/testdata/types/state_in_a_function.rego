package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	bad(input.signals.load)
}

bad(signal) if signal.state == "missing"
