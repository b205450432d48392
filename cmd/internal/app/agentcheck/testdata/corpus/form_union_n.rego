package scanflow.strategies.t.s

propose contains p if {
	p := object.union_n([{"primitive": "scale"}, {"reason": "busy", "because": []}, {"with": {"replicas": 2.5}}])
}
