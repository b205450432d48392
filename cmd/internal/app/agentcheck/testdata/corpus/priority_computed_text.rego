package scanflow.strategies.t.s

propose contains {
	"primitive": "scale",
	"with": {"replicas": 3},
	"reason": "busy",
	"because": [],
	"priority": format_int(input.now_ns, 10),
}
