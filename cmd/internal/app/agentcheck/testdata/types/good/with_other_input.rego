package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	big with input.signals as {"load": 5}
}

big if input.signals.load.value > 5
