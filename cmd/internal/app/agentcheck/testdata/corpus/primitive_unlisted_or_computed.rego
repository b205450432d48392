# agent: scaler
package scanflow.strategies.t.s

propose contains {
	"primitive": "restart",
	"reason": "busy",
	"because": [],
}

propose contains {
	"primitive": verb,
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
} if {
	verb := input.target.labels.verb
}
