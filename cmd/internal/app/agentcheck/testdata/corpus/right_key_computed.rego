package scanflow.strategies.t.s

propose contains {"primitive": "traffic", "with": {"route": "r", "weights": {input.target.name: 100, "backup": 0}}, "reason": "busy", "because": []}
