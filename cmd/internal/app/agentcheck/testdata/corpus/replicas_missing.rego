package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {},
	"reason": "busy",
	"because": [],
}
