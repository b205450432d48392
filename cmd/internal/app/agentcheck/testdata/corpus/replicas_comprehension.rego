package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {"replicas": [1 | true]},
	"reason": "busy",
	"because": [],
}
