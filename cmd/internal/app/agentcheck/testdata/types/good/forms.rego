package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["page", "load"]} if {
	number(input.signals.page.value) > 5
	number(input.signals.load.value) > 5
}

number(x) := x if is_number(x)

number(x) := x.value if is_object(x)

number(x) := to_number(x) if is_string(x)
