package scanflow.strategies.t.s

propose contains {"primitive": "scale", "with": {"replicas": size}, "reason": "busy", "because": []}

size := "3" if input.target.name == "never"

size := 3 if input.target.name != "never"
