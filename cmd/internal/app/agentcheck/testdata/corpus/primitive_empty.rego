package scanflow.strategies.t.s

propose contains {
	"primitive": "",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
}
