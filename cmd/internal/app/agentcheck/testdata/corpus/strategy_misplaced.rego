package t.s

propose contains {
	"primitive": "scale",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
}
