package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	x := object.get(input.target, "model", 0)
	x > 5
	object.get(input.signals.load, "value", "none") == "none"
	object.get(input.signals.load, "value", null) == null
	object.get(input.signals.load, "state", "none") == "none"
}
