package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	object.get(input.memory, ["t.sample", "last", "scale", "at"], 0) < input.now_ns
}
