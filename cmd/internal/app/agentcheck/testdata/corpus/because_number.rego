package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": ["load", 1],
} if {
	input.signals.load.value > 5
}
