package scanflow.strategies.t.s

propose contains {
	"primitive": "model.serve",
	"with": {"canaryPercent": 200},
	"reason": "busy",
	"because": [],
}
