package scanflow.strategies.t.s

propose contains {
	"primitive": "webhook",
	"with": {"url": "https://hooks.example.com", "data": {}},
	"reason": "busy",
	"because": [],
}
