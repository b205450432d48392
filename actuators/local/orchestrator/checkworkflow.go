package orchestrator

import (
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// workflow checks a WorkflowTemplate.
func (c *checker) workflow(t *workflow.Template) {
	for _, p := range workflow.Check(t) {
		c.add(p.Path, "%s", p.Message)
	}
	c.placement("spec.", t.Spec.NodeSelector, t.Spec.Affinity)
	for i := range t.Spec.Templates {
		at, step := fmt.Sprintf("spec.templates[%d].", i), &t.Spec.Templates[i]
		c.placement(at, step.NodeSelector, step.Affinity)
		if step.Container != nil {
			c.limits(at+"container", step.Container)
		}
	}
}

// cronJob checks a CronJob, whose Job is run as a workflow of one step.
func (c *checker) cronJob(j *batchv1.CronJob) {
	if j.Spec.Suspend == nil || !*j.Spec.Suspend {
		c.add("spec.suspend", "its schedule can't be honoured by the local orchestrator; set it to true, and have an agent with a cron trigger run it by workflow.run")
	}
	job := &j.Spec.JobTemplate.Spec
	const at = "spec.jobTemplate.spec."
	for name, v := range map[string]*int32{"completions": job.Completions, "parallelism": job.Parallelism} {
		if v != nil && *v != 1 {
			c.add(at+name, "%d can't be honoured; one pod of a Job is run here", *v)
		}
	}
	spec := &job.Template.Spec
	if p := spec.RestartPolicy; p != corev1.RestartPolicyNever && p != corev1.RestartPolicyOnFailure {
		c.add(at+"template.spec.restartPolicy", "must be Never or OnFailure")
	}
	c.placement(at+"template.spec.", spec.NodeSelector, spec.Affinity)
	if len(spec.Containers) != 1 {
		c.add(at+"template.spec.containers", "a Job is run here as one process, and this has %d containers", len(spec.Containers))
		return
	}
	c.limits(at+"template.spec.containers[0]", &spec.Containers[0])
	t := cronTemplate(j, nil)
	for _, p := range workflow.Check(&t) {
		path := strings.Replace(p.Path, "spec.templates[0].container", at+"template.spec.containers[0]", 1)
		c.add(strings.Replace(path, "spec.activeDeadlineSeconds", at+"activeDeadlineSeconds", 1), "%s", p.Message)
	}
}
