package scanflow.strategies.t.s

propose contains {"primitive": "scale", "with": {"replicas": sizes.small}, "reason": "busy", "because": []}

sizes := {"small": "3"}
