package orchestrator

// The accepted fields of WorkflowTemplates and CronJobs, in the syntax of fields.go.
//
// Beside those of Deployments, some are accepted without effect: serviceAccountName (only
// Argo's executor needs it), ttlStrategy, podGC and archiveLogs (every run is kept for a
// while), artifactRepositoryRef and archive (artifacts are plain files in the run's
// folder), workflowMetadata, and the schedule of a CronJob, which runs only when an agent
// starts it.
const (
	workflowFields = `
apiVersion
kind
spec.entrypoint
spec.arguments.parameters[].name
spec.arguments.parameters[].value
spec.arguments.parameters[].default
spec.arguments.parameters[].enum[]
spec.arguments.parameters[].description
spec.activeDeadlineSeconds
spec.parallelism
spec.podMetadata.labels.*
spec.podMetadata.annotations.*
spec.workflowMetadata.**
spec.serviceAccountName
spec.imagePullSecrets.**
spec.ttlStrategy.**
spec.podGC.**
spec.archiveLogs
spec.artifactRepositoryRef.**
`
	stepFields = `
name
serviceAccountName
inputs.parameters[].name
inputs.parameters[].value
inputs.parameters[].default
inputs.parameters[].enum[]
inputs.parameters[].description
inputs.artifacts[].name
inputs.artifacts[].path
inputs.artifacts[].optional
outputs.parameters[].name
outputs.parameters[].description
outputs.parameters[].valueFrom.path
outputs.parameters[].valueFrom.parameter
outputs.parameters[].valueFrom.default
outputs.artifacts[].name
outputs.artifacts[].path
outputs.artifacts[].from
outputs.artifacts[].optional
outputs.artifacts[].archive.**
dag.failFast
dag.tasks[].name
dag.tasks[].template
dag.tasks[].dependencies[]
dag.tasks[].depends
dag.tasks[].arguments.parameters[].name
dag.tasks[].arguments.parameters[].value
dag.tasks[].arguments.artifacts[].name
dag.tasks[].arguments.artifacts[].from
retryStrategy.limit
retryStrategy.retryPolicy
retryStrategy.backoff.duration
retryStrategy.backoff.factor
retryStrategy.backoff.cap
retryStrategy.backoff.maxDuration
activeDeadlineSeconds
metadata.labels.*
metadata.annotations.*
`
	// stepContainerFields are those of containers less what only makes sense for
	// something that serves.
	stepContainerFields = `
name
image
imagePullPolicy
command[]
args[]
workingDir
env[].name
env[].value
env[].valueFrom.fieldRef.apiVersion
env[].valueFrom.fieldRef.fieldPath
env[].valueFrom.resourceFieldRef.containerName
env[].valueFrom.resourceFieldRef.resource
env[].valueFrom.resourceFieldRef.divisor
resources.requests.*
resources.limits.*
`
	cronJobFields = `
apiVersion
kind
spec.schedule
spec.timeZone
spec.suspend
spec.concurrencyPolicy
spec.startingDeadlineSeconds
spec.successfulJobsHistoryLimit
spec.failedJobsHistoryLimit
spec.jobTemplate.metadata.labels.*
spec.jobTemplate.metadata.annotations.*
spec.jobTemplate.spec.backoffLimit
spec.jobTemplate.spec.activeDeadlineSeconds
spec.jobTemplate.spec.ttlSecondsAfterFinished
spec.jobTemplate.spec.completions
spec.jobTemplate.spec.parallelism
spec.jobTemplate.spec.template.metadata.labels.*
spec.jobTemplate.spec.template.metadata.annotations.*
spec.jobTemplate.spec.template.spec.restartPolicy
spec.jobTemplate.spec.template.spec.serviceAccountName
spec.jobTemplate.spec.template.spec.automountServiceAccountToken
spec.jobTemplate.spec.template.spec.imagePullSecrets.**
`
)
