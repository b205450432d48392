// Package workflowcontroller stands in for the controller of Argo Workflows in a cluster of
// processes, for tests and for a developer's cluster: it watches Workflow objects,
// runs those of a WorkflowTemplate by package workflow, as processes of this machine,
// and writes their status as Argo's controller does. So the same WorkflowTemplate, and
// whatever reads the status, work on such a cluster.
//
// It is no Argo. It runs what package workflow runs, and nothing else: a template that
// needs more ends as Error, with the field's name. Its steps are no pods, unless
// Options.Pods has them be some: they are not scheduled, so that nodeSelector, affinity
// and tolerations are not looked at, and there is none to be seen in the cluster; a node's
// message names the log file. With Options.Pods a step's pod goes where the specification
// says that is stored in the Workflow's status, as in Argo, and one that is evicted is a
// failed attempt, or an Error, which counts as in Argo; tolerations are left out. There
// is no artifact repository, no server, no ttl: a Workflow stays until it is deleted,
// and then its files go too. A Workflow without a workflowTemplateRef is refused.
//
// Start reading at argo.go, then reconcile.go (what becomes of one Workflow); status.go
// writes the status as Argo would, steppod.go makes the pod of one attempt.
package workflowcontroller
