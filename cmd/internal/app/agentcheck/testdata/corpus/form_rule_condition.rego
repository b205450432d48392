package scanflow.strategies.t.s

propose contains {"primitive": "scale", "with": three, "reason": "busy", "because": []}

three := {"replica": n} if n := input.target.replicas.desired
