package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": []} if {
	names := {name | some name, _ in input.claims}
	"replicas" in names
	byverb := {claim.verb: claim | some claim in input.claims}
	byverb.scale.state == "running"
	[first, second] := [1, "a"]
	first > 0
	second == "a"
	{"desired": d, "ready": _} := input.target.replicas
	d > 3
	object.union({"a": 1}, input.target.labels).b == "c"
}
