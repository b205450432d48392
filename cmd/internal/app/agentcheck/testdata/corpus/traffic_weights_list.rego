package scanflow.strategies.t.s

propose contains {
	"primitive": "traffic",
	"with": {"route": "r", "weights": [1, 2]},
	"reason": "busy",
	"because": [],
}
