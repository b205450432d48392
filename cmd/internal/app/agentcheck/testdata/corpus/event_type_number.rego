package scanflow.strategies.t.s

propose contains {
	"primitive": "event.send",
	"with": {"type": 1},
	"reason": "busy",
	"because": [],
}
