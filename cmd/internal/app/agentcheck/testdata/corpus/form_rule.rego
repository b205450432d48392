package scanflow.strategies.t.s

propose contains {"primitive": "scale", "with": three, "reason": "busy", "because": []}

three := {"replicas": "3"}
