package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	some step in input.params.steps
	step.after > 5
}
