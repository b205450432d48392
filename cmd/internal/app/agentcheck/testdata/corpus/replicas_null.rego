package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {"replicas": null},
	"reason": "busy",
	"because": [],
}
