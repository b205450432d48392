package scanflow.strategies.@PACKAGE@.heavy

# METADATA
# title: Too heavy
# description: Calls for help while the memory is above the bound.
# custom:
#   layer: application
propose contains proposal if {
	input.signals.memory.value > input.params.bound
	proposal := {
		"primitive": "webhook",
		"with": {"url": input.params.url, "body": {"target": input.target.name}},
		"reason": "heavy",
		"because": ["memory"],
	}
}
