package scanflow.strategies.t.s

propose contains {
	"primitive": "annotate",
	"with": {"annotations": {"kubernetes.io/x": "y"}},
	"reason": "busy",
	"because": [],
}
