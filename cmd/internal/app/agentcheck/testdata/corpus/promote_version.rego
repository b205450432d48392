package scanflow.strategies.t.s

propose contains {
	"primitive": "model.promote",
	"with": {"model": "digits", "version": 4},
	"reason": "busy",
	"because": [],
}
