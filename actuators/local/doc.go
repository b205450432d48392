// Package local is the orchestrator of a laptop: it reads the apps/v1 Deployments,
// Services, HTTPRoutes, WorkflowTemplates and CronJobs that a cluster would get, runs
// every pod and every step of a workflow as a process of this machine, spread over
// named nodes, and routes requests to the pods that are ready. Its verbs (scale,
// traffic, restart, model.serve, workflow.run) are the agent's hands.
//
// It never ignores a field that it can't honour: such a field is refused by name,
// with its line and what to do instead. It never decides to scale, to shift traffic or
// to run a workflow by itself. Pods and steps outlive it: they are written down in the
// state folder, and adopted by the next orchestrator that opens it.
//
// Start reading at orchestrator.go (lifecycle), then reconcile.go (what is wanted
// against what is); read.go is the way in of the YAML, the package router that of
// requests. What one pod does is in the package pod, what one workflow does in the
// package workflow.
package local
