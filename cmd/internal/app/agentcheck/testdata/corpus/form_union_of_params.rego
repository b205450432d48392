package scanflow.strategies.t.s

propose contains p if {
	p := {"primitive": "scale", "reason": "busy", "because": [], "with": object.union(object.get(input, "params", {}), {"replicas": "3"})}
}
