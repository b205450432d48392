package scanflow.strategies.t.s

propose contains {
	"primitive": "model.serve",
	"with": {"container": "app"},
	"reason": "busy",
	"because": [],
}
