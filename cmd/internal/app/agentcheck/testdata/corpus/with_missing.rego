package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"reason": "busy",
	"because": [],
}
