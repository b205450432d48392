package scanflow.strategies.t.s

propose contains object.union(common, {"with": object.union({"replicas": 3}, object.get(input, "params", {})), "reason": "busy"})

common := {"primitive": "scale", "because": [], "priority": 10}
