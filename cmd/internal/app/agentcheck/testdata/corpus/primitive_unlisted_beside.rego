# agent: scaler
package scanflow.strategies.t.s

propose contains {
	"primitive": "restart",
	"reason": "busy",
	"because": [],
}

propose contains {
	"primitive": "scale",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
}
