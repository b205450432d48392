package scanflow.strategies.t.s

propose contains {
	"primitive": "restart",
	"with": {"pods": "x"},
	"reason": "busy",
	"because": [],
}
