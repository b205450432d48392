package scanflow.strategies.t.s

propose contains p if {
	p := {"primitive": "scale", "with": sizes, "reason": "busy", "because": []} with data.scanflow.strategies.t.s.sizes as {"replicas": 3}
}

sizes := {"replica": 3}
