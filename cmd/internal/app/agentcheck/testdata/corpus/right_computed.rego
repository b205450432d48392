package scanflow.strategies.t.s

propose contains p if {
	wanted := ceil(input.signals.load.value / 20)
	p := {"primitive": verb, "with": {"replicas": wanted}, "priority": rank, "reason": concat("_", ["load", level]), "because": ["load"], "note": {"at": input.now_ns}, "marks": [mark]}
}

verb := object.get(input.target.labels, "verb", "scale")

rank := 10 if input.target.replicas.desired > 3

rank := 20 if input.target.replicas.desired <= 3

level := "high"

mark := concat("", ["checked", level])
