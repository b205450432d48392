package scanflow.strategies.t.s

propose contains {"primitive": "scale", "with": {"replicas": 3}, "reason": "busy", "because": ["load", "drift"]} if {
	input.signals.load.value > 5
	object.get(input.signals, ["drift", "value"], 0) > 5
}
