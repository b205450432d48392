package scanflow.guards.sample

deny contains "no" if {
	input.proposal.primitive == "scale"
	input.signals.load > 5
}
