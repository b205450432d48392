package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	acted("scael")
}

acted(verb) if input.memory["t.sample"].last[verb].at_ns > 5
