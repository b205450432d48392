// Package workflow runs Argo WorkflowTemplates on this machine: the steps of a run are
// processes, and its artifacts are files in the run's folder.
//
// Check rejects a template that can't be run here before anything starts. A Runner runs
// workflows, each with a unique name and at most once for an identity. It saves every
// transition before it acts, so that the next Runner that opens the folder resumes the
// runs, even after a crash. It never decides what to run or when, talks to no cluster,
// and isolates nothing: a step sees this machine's files, and finds its own by
// {{inputs.artifacts.NAME.path}} and similar references. It may import packages pod,
// statefile and engine, and no other package of this module.
//
// Start reading at template.go (the format), then run.go (the lifecycle of a run) and
// advance.go (scheduling); check.go validates a template. Processes are run by package
// pod.
package workflow
