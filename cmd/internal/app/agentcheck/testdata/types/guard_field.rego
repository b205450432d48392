package scanflow.guards.sample

deny contains "no" if {
	input.proposal.primitve == "scale"
}
