package scanflow.guards.sample

deny contains "no" if {
	input.proposal.primitive == "scale"
	input.memory[input.proposal.strategy].last.scale.at > 5
}
