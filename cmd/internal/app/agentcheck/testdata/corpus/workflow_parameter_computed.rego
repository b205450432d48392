package scanflow.strategies.t.s

propose contains {
	"primitive": "workflow.run",
	"with": {"template": "train", "parameters": {"epochs": count(input.claims)}},
	"reason": "busy",
	"because": [],
}
