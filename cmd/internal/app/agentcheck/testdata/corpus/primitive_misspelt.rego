package scanflow.strategies.t.s

propose contains {
	"primitive": "scael",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
}
