// Package workflow runs Argo WorkflowTemplates on this machine: the steps of a run
// are processes, its artifacts are files in the run's folder.
//
// Check says what of a template can't be run here, by name and before anything is.
// A Runner begins runs, each under a name of its own and once for an identity, and
// follows them to their end: every step of the way is written down before it is
// taken, so that a run goes on under the next Runner that opens the folder, however
// the last one ended. It decides nothing: what to run, and when, is the caller's. It
// speaks to no cluster and isolates nothing: a step sees this machine's files, and
// learns by {{inputs.artifacts.NAME.path}} and its like where its own lie.
//
// Start reading at template.go (what is run), then run.go (the life of a run) and
// advance.go (what comes next); check.go is the way in of a template. What a process
// does is in the package pod.
package workflow
