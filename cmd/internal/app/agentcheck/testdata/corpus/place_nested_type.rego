package scanflow.strategies.t.s

propose contains {
	"primitive": "place",
	"with": {"antiAffinity": {"matchLabels": {"app": "batch"}, "required": "yes"}},
	"reason": "busy",
	"because": [],
}
