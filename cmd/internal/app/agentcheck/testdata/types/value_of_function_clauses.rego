package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	high(input.signals.load)
}

high(signal) if signal.value > 50

high(signal) if signal.valeu > 5
