package local

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/engine"
)

// versions are the kinds that can be targets, each with its API's version.
var versions = map[string]string{kindDeployment: "apps/v1", kindWorkflow: "argoproj.io/v1alpha1", kindCronJob: "batch/v1"}

// selectable refuses a selector of what is never run here.
func selectable(s engine.Selector) error {
	version, runs := versions[s.Kind]
	if !runs || s.APIVersion != "" && s.APIVersion != version {
		return fmt.Errorf("the local orchestrator runs no %s of %s; targets can be apps/v1 Deployment, argoproj.io/v1alpha1 WorkflowTemplate and batch/v1 CronJob", s.Kind, s.APIVersion)
	}
	return nil
}

// templateTargets are the WorkflowTemplates or CronJobs that a selector names: what is run
// when an agent asks for it has no replicas, and is nowhere.
func templateTargets(s engine.Selector, templates map[key]*workflow.Template, jobs map[key]*batchv1.CronJob) (out []engine.Target) {
	add := func(k key, m *metav1.ObjectMeta) {
		if isSelected(s, k, m.Labels) {
			out = append(out, engine.Target{APIVersion: versions[s.Kind], Kind: s.Kind, Namespace: k.namespace, Name: k.name, Labels: m.Labels, Placement: []string{}})
		}
	}
	switch s.Kind {
	case kindWorkflow:
		for _, k := range keysOf(templates) {
			add(k, &templates[k].ObjectMeta)
		}
	case kindCronJob:
		for _, k := range keysOf(jobs) {
			add(k, &jobs[k].ObjectMeta)
		}
	}
	return out
}
