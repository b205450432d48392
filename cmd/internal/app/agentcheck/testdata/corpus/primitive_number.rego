package scanflow.strategies.t.s

propose contains {
	"primitive": 1,
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
}
