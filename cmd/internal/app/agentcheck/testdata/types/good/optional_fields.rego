package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load:empty"]} if {
	not input.signals.load.value
	not input.target.model
	not input.target.replicas
	not input.memory["t.sample"].last.scale
	not input.trigger.event.data.x
	input.memory["t.sample"].note.since > 5
}
