package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {"replicas": 1e300},
	"reason": "busy",
	"because": [],
}
