package scanflow.strategies.serving.grow

propose contains {
	"primitive": "scale",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
}
