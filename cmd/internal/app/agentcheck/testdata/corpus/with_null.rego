package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": null,
	"reason": "busy",
	"because": [],
}
