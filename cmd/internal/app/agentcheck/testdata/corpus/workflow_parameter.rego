package scanflow.strategies.t.s

propose contains {
	"primitive": "workflow.run",
	"with": {"template": "train", "parameters": {"epochs": 3}},
	"reason": "busy",
	"because": [],
}
