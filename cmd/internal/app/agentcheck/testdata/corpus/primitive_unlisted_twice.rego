# agent: scaler
package scanflow.strategies.t.s

propose contains {
	"primitive": "restart",
	"reason": "busy",
	"because": [],
}

propose contains {
	"primitive": "place",
	"with": {"nodeSelector": {"gpu": "true"}},
	"reason": "busy",
	"because": [],
}
