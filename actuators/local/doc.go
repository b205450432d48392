// Package local holds the verbs of the local orchestrator, one in each file: scale,
// restart, traffic, model.serve, place and workflow.run.
//
// A verb plans a change, applies it and verifies it through the methods of
// orchestrator.Orchestrator. It keeps no state: what Apply, Verify and Undo need is in the
// plan, which the journal keeps. It starts no process and reads no file.
//
// Start reading at scale.go.
package local
