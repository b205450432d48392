package scanflow.strategies.t.s

propose contains {
	"primitive": "traffic",
	"with": {"route": "r", "weights": {"a": "1"}},
	"reason": "busy",
	"because": [],
}
