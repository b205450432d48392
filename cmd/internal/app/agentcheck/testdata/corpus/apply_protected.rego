package scanflow.strategies.t.s

propose contains {
	"primitive": "apply",
	"with": {"object": {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": input.target.name}}},
	"reason": "busy",
	"because": [],
}
