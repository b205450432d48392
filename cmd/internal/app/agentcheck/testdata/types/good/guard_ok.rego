package scanflow.guards.sample

deny contains "no" if {
	input.proposal.primitive == "scale"
	input.proposal.with.replicas > 3
	input.proposal.with.anything.at.all == "x"
	count(input.proposal.because) == 0
	not input.memory[input.proposal.strategy].last.scale.at_ns
}
