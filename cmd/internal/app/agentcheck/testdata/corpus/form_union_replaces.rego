package scanflow.strategies.t.s

propose contains p if {
	p := object.union({"primitive": "scale", "reason": "busy", "because": [], "with": {"replicas": 3}}, {"with": {"replicas": "3"}})
}
