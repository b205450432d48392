package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	some name, claim in input.claims
	name != "pods"
	claim.verbs == "scale"
}
