package scanflow.guards.sample

deny contains "no" if {
	some signal in input.proposal.because
	signal.state == "ok"
}
