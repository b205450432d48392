package scanflow.strategies.t.s

propose contains {
	"primitive": "event.send",
	"with": {"subject": "x"},
	"reason": "busy",
	"because": [],
}
