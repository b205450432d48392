package scanflow.strategies.t.s

propose contains {
	"primitive": "place",
	"with": {"nodeSelector": {"gpu": "true"}, "move": true},
	"reason": "busy",
	"because": [],
}
