package scanflow.strategies.t.s

propose contains {
	"primitive": "traffic",
	"with": {"weights": {"a": input.target.replicas.desired}},
	"reason": "busy",
	"because": [],
}
