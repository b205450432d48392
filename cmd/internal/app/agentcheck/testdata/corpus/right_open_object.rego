package scanflow.strategies.t.s

propose contains {"primitive": "apply", "with": {"object": object.union(template, {"kind": "Secret"})}, "reason": "busy", "because": []}

template := object.get(input.target, "labels", {})
