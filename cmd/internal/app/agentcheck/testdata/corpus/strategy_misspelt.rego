package scanflow.strategies.t.ss

propose contains {
	"primitive": "scale",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
}
