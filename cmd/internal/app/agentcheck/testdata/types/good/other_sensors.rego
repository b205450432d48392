package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["errors", "faults"]} if {
	object.get(object.get(input.signals, "errors", {"value": 0}), "value", -1) == 0
	object.get(input.signals, ["faults", "value", "rate"], 0) < 5
	object.get(input.memory, ["t.other", "note", "x"], []) == []
}
