package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	input.params.zone == "b"
	object.get(input.params, "other", null) != null
	cap := object.get(input.params, "cap", false)
	cap != false
	input.signals.load.value > cap
	some window in input.params.windows
	not window.days
	object.get(window, "until", "24:00") != window.to
}
