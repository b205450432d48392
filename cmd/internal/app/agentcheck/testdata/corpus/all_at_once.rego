package scanflow.strategies.t.s

propose contains {"primitive": 7, "with": [3], "priority": 1.5, "because": ["load:missing"], "prio": 1, "marks": "x"}
