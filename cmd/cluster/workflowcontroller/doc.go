// Package workflowcontroller is a stand-in for the controller of Argo Workflows: it watches
// Workflow objects, runs those of a WorkflowTemplate by package workflow, and writes their
// status like Argo's controller, so that the same WorkflowTemplates and the same clients
// work without Argo. It serves the test cluster and is not part of the product.
//
// It supports what package workflow supports: a Workflow of another template ends as
// Error with the name of the field. By default steps are processes of this machine and not
// pods: they are not scheduled (nodeSelector, affinity and tolerations are ignored), and a
// node's message names the log file. With Options.Pods each step is a pod, placed by the
// specification that is stored in the Workflow's status, as in Argo; an evicted pod is a
// failed attempt or an Error, as in Argo; tolerations are ignored. There is no artifact
// repository, no server and no TTL: a Workflow is kept until it is deleted, with its
// files. A Workflow without a workflowTemplateRef is rejected.
//
// Start reading at controller.go, then reconcile.go (one Workflow); status.go builds Argo's
// status, podlauncher.go and steppod.go run the pods of attempts.
package workflowcontroller
