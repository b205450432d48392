package scanflow.strategies.t.s

propose contains {"primitive": "scale", "with": {"replicas": 3.0}, "priority": -10, "reason": "busy", "because": []}

propose contains {"primitive": "traffic", "with": {"route": "r", "weights": {"a": 1e2, "b": 0}}, "reason": "busy", "because": []}
