package scanflow.strategies.t.s

propose contains {
	"primitive": "autoscaler",
	"with": {"min": 5, "max": 2},
	"reason": "busy",
	"because": [],
}
