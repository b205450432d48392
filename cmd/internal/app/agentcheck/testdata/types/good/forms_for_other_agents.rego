package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	number(input.signals.load.value) > 5
}

number(x) := x

number(x) := x.share if is_object(x)

number(x) := x.mean
