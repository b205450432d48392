package scanflow.strategies.t.s

propose contains {
	"primitive": "autoscaler",
	"with": {"kind": "Autoscaler", "max": 2},
	"reason": "busy",
	"because": [],
}
