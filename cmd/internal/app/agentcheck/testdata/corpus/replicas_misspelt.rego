package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {"replica": 3},
	"reason": "busy",
	"because": [],
}
