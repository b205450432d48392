package scanflow.guards.sample

deny contains "no" if {
	input.proposal.priority > "5"
}
