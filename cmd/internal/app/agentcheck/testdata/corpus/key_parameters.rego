package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"reason": "busy",
	"because": [],
	"parameters": {"replicas": 3},
}
