package scanflow.strategies.t.s

propose contains p if {
	p := object.union({"primitive": "scale", "reason": "busy", "because": []}, {"with": {"replica": 3}, "prio": 1})
}
