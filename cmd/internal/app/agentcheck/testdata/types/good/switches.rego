package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	mode == "fast"
	tier in {"gold", "silver"}
	limit > 5
}

mode := "slow"

tier := "bronze"

limit := 3
