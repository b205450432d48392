package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	over.load
}

over[name] := excess if {
	name := "load"
	excess := input.signals.load - 5
}
