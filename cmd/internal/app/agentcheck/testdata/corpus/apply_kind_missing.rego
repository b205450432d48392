package scanflow.strategies.t.s

propose contains {
	"primitive": "apply",
	"with": {"object": {"apiVersion": "v1", "metadata": {"name": input.target.name}}},
	"reason": "busy",
	"because": [],
}
