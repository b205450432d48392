package scanflow.strategies.t.s

propose contains {
	"primitive": "webhook",
	"with": {"url": "https://me:secret@hooks.example.com"},
	"reason": "busy",
	"because": [],
}
