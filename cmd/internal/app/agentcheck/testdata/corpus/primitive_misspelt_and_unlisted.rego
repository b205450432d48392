# agent: scaler
package scanflow.strategies.t.s

propose contains {
	"primitive": "scael",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
}

propose contains {
	"primitive": "restart",
	"reason": "busy",
	"because": [],
}
