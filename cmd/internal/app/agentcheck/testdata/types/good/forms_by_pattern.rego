package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	weight("load", input.signals.load.value) > 5
}

weight("load", x) := x

weight("drift", x) := x.psi

weight(["a", _], x) := x.mean
