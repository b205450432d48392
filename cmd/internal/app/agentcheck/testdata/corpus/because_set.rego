package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": {"load"},
} if {
	input.signals.load.value > 5
}
