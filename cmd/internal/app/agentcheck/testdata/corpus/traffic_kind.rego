package scanflow.strategies.t.s

propose contains {
	"primitive": "traffic",
	"with": {"route": "r", "kind": "HTTPRout", "weights": {"a": 1}},
	"reason": "busy",
	"because": [],
}
