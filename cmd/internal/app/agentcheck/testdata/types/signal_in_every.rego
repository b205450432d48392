package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load", "ready"]} if {
	every signal in [input.signals.load, input.signals.ready] { signal > 5 }
}
