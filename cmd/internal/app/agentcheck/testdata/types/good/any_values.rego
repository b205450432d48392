package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["page"]} if {
	input.trigger.event.data > 5
	input.memory["t.sample"].note == "x"
	some k, v in input.trigger.event.data
	k != v
	input.signals.page.value.deep[0].er == 3
	type_name(input.target.model) == "number"
}
