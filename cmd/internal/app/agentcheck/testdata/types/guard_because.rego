package scanflow.guards.sample

deny contains "no" if {
	"load" == input.proposal.because
}
