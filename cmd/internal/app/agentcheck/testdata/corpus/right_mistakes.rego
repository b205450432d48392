package scanflow.strategies.t.s

propose contains {"primitive": "scale", "with": {"mistakes": sort(problems)}, "reason": "params_with_mistakes", "because": []} if count(problems) > 0

problems contains "params.x: is no number" if not is_number(object.get(input, ["params", "x"], 1))
