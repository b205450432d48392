package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	level == "high"
}

level := "low" if {
	input.signals.load.value < 5
} else := "high" if {
	input.signals.load > 5
}
