# agent: scaler
package scanflow.strategies.t.s

propose contains {
	"primitive": "restart",
	"reason": "busy",
	"because": [],
}
