package scanflow.strategies.t.s

propose contains {
	"primitive": "traffic",
	"with": {"route": "r", "weights": {"a": 0}},
	"reason": "busy",
	"because": [],
}
