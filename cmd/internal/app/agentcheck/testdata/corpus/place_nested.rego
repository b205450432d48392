package scanflow.strategies.t.s

propose contains {
	"primitive": "place",
	"with": {"antiAffinity": {"matchLabel": {"app": "batch"}}},
	"reason": "busy",
	"because": [],
}
