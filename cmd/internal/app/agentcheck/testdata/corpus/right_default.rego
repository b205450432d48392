package scanflow.strategies.t.s

propose contains {"primitive": "scale", "with": {"replicas": size}, "reason": "busy", "because": []}

default size := "3"

size := 3 if input.target.name == "web"
