package scanflow.strategies.t.s

propose contains {
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
	"verb": "scale",
}
