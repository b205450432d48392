package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {"replicas": 2.5},
	"reason": "busy",
	"because": [],
}
