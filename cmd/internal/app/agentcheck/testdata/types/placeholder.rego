package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "stuck_{name}", "because": []} if {
	name := input.target.name
	name != ""
}
