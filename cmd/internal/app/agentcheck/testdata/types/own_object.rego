package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	settings.limt > 5
}

settings := {"limit": 5, "zone": "a"}
