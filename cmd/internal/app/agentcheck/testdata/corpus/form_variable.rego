package scanflow.strategies.t.s

propose contains p if {
	wanted := "3"
	parameters := {"replicas": wanted}
	p := {"primitive": "scale", "with": parameters, "reason": "busy", "because": []}
}
