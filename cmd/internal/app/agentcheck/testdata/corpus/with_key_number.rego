package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {3: "replicas"},
	"reason": "busy",
	"because": [],
}
