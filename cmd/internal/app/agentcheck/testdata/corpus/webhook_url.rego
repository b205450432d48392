package scanflow.strategies.t.s

propose contains {
	"primitive": "webhook",
	"with": {"url": "hooks.example.com"},
	"reason": "busy",
	"because": [],
}
