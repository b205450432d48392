package scanflow.strategies.t.s

propose contains {
	"primitive": "place",
	"with": {},
	"reason": "busy",
	"because": [],
}
