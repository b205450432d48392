package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["drift"]} if {
	far(input.signals.drift.value)
}

far(drift) if drift.psii > 0.2
