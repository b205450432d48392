// Package orchestrator runs the apps/v1 Deployments, Services, HTTPRoutes,
// WorkflowTemplates and CronJobs of a cluster as processes of this machine. It schedules
// pods and the steps of workflows on named nodes, and routes requests to the ready pods.
//
// It refuses a field that it does not support by name, with its line and what to do
// instead. It never scales, shifts traffic or runs a workflow by itself: the verbs in
// actuators/local do. Pods and steps survive it: they are recorded in the state folder,
// and the next orchestrator that opens it adopts them.
//
// Start reading at orchestrator.go (lifecycle), then apply.go and reconcile.go. read.go
// reads the YAML, override.go holds what the verbs set. The packages pod, workflow and
// router run one pod, run workflows and route requests.
package orchestrator
