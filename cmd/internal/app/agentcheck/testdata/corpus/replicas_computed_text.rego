package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {"replicas": sprintf("%d", [input.target.replicas.desired])},
	"reason": "busy",
	"because": [],
}
