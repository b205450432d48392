package scanflow.strategies.t.s

propose contains {
	"primitive": "apply",
	"with": {"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "status": {}}},
	"reason": "busy",
	"because": [],
}
