// Package workflowrun is what the verb `workflow.run` means, whatever carries it out:
// its claim, its deadline, what a run is called, and the event by which agents learn
// of its end. It runs nothing. Start reading at end.go.
package workflowrun
