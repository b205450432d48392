package orchestrator

import (
	"maps"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// The retries of a Job, and the waits between them, are those of the Job controller.
const (
	jobRetries       = 6
	jobBackoff       = "10s"
	jobBackoffMax    = "6m"
	jobBackoffFactor = 2
)

// cronTemplate converts the Job of a CronJob to a workflow of one step. Each parameter sets
// a variable of its container.
func cronTemplate(j *batchv1.CronJob, parameters map[string]string) workflow.Template {
	job := j.Spec.JobTemplate.Spec.DeepCopy()
	container, labels := job.Template.Spec.Containers[0], job.Template.Labels
	var arguments workflow.Arguments
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		arguments.Parameters = append(arguments.Parameters, workflow.Parameter{Name: name})
		setVariable(&container, name, "{{workflow.parameters."+name+"}}")
	}
	limit, factor := intstr.FromInt32(jobRetries), intstr.FromInt32(jobBackoffFactor)
	if job.BackoffLimit != nil {
		limit = intstr.FromInt32(*job.BackoffLimit)
	}
	return workflow.Template{TypeMeta: metav1.TypeMeta{Kind: KindCronJob}, ObjectMeta: j.ObjectMeta, Spec: workflow.Spec{
		Entrypoint: "main", Arguments: arguments, ActiveDeadlineSeconds: job.ActiveDeadlineSeconds,
		NodeSelector: job.Template.Spec.NodeSelector, Affinity: job.Template.Spec.Affinity,
		PodMetadata: &workflow.Metadata{Labels: labels, Annotations: job.Template.Annotations},
		Templates: []workflow.StepTemplate{{
			Name: "main", Container: &container,
			RetryStrategy: &workflow.RetryStrategy{
				Limit: &limit, RetryPolicy: "Always", Backoff: &workflow.Backoff{Duration: jobBackoff, Factor: &factor, Cap: jobBackoffMax},
			},
		}},
	}}
}

// setVariable sets a variable of a container, or adds it.
func setVariable(c *corev1.Container, name, value string) {
	for i := range c.Env {
		if c.Env[i].Name == name {
			c.Env[i] = corev1.EnvVar{Name: name, Value: value}
			return
		}
	}
	c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
}
