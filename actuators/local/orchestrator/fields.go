package orchestrator

import "strings"

// The accepted fields; any other is refused by name. "*" stands for any key, "[]" for the
// items of a list, a trailing "**" for everything below.
//
// Some are accepted without effect: image, imagePullPolicy and imagePullSecrets (no image
// is pulled; the command is run), resources.requests (the scheduler spreads pods and does
// not pack them), revisionHistoryLimit and progressDeadlineSeconds (no history and no
// conditions are kept). Limits are refused, as nothing enforces them, except for a limit
// on cpu that is passed to the container (pod.CheckLimits).
const (
	metadataFields = `
metadata.name
metadata.namespace
metadata.labels.*
metadata.annotations.*
`
	probeFields = `
initialDelaySeconds
periodSeconds
timeoutSeconds
successThreshold
failureThreshold
exec.command[]
tcpSocket.port
httpGet.path
httpGet.port
httpGet.scheme
httpGet.httpHeaders[].name
httpGet.httpHeaders[].value
`
	containerFields = `
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
ports[].name
ports[].containerPort
ports[].protocol
resources.requests.*
resources.limits.*
lifecycle.preStop.exec.command[]
lifecycle.preStop.sleep.seconds
lifecycle.preStop.httpGet.path
lifecycle.preStop.httpGet.port
lifecycle.preStop.httpGet.scheme
lifecycle.preStop.httpGet.httpHeaders[].name
lifecycle.preStop.httpGet.httpHeaders[].value
`
	podFields = `
imagePullSecrets.**
restartPolicy
terminationGracePeriodSeconds
automountServiceAccountToken
enableServiceLinks
`
	deploymentFields = `
apiVersion
kind
spec.replicas
spec.selector.**
spec.revisionHistoryLimit
spec.progressDeadlineSeconds
spec.strategy.type
spec.strategy.rollingUpdate.maxSurge
spec.strategy.rollingUpdate.maxUnavailable
spec.template.metadata.name
spec.template.metadata.labels.*
spec.template.metadata.annotations.*
`
	serviceFields = `
apiVersion
kind
spec.type
spec.selector.*
spec.ports[].name
spec.ports[].port
spec.ports[].targetPort
spec.ports[].protocol
`
	routeFields = `
apiVersion
kind
spec.parentRefs[].group
spec.parentRefs[].kind
spec.parentRefs[].namespace
spec.parentRefs[].name
spec.parentRefs[].port
spec.rules[].name
spec.rules[].backendRefs[].group
spec.rules[].backendRefs[].kind
spec.rules[].backendRefs[].name
spec.rules[].backendRefs[].port
spec.rules[].backendRefs[].weight
`
	placementFields = `
nodeSelector.*
affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].labelSelector.**
affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].topologyKey
affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaces[]
affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight
affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.labelSelector.**
affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.topologyKey
affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaces[]
affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].labelSelector.**
affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].topologyKey
affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaces[]
affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight
affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.labelSelector.**
affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.topologyKey
affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaces[]
`
)

// allowed is the tree of the accepted fields of a kind.
type allowed struct {
	all      bool
	children map[string]*allowed
}

func (a *allowed) add(path string) {
	for part := range strings.SplitSeq(strings.ReplaceAll(path, "[]", ".[]"), ".") {
		if part == "**" {
			a.all = true
			return
		}
		if a.children == nil {
			a.children = map[string]*allowed{}
		}
		next := a.children[part]
		if next == nil {
			next = &allowed{}
			a.children[part] = next
		}
		a = next
	}
}

// child returns the fields below a field, nil if the field is refused.
func (a *allowed) child(name string) *allowed {
	if a.all {
		return a
	}
	if c, ok := a.children[name]; ok {
		return c
	}
	return a.children["*"]
}

func allowedFields(kind string) *allowed {
	a := &allowed{}
	add := func(prefix, list string) {
		for _, f := range strings.Fields(list) {
			a.add(prefix + f)
		}
	}
	add("", metadataFields)
	switch kind {
	case KindDeployment:
		add("", deploymentFields)
		add("spec.template.spec.", podFields)
		add("spec.template.spec.", placementFields)
		const container = "spec.template.spec.containers[]."
		add(container, containerFields)
		for _, p := range []string{"startupProbe.", "readinessProbe.", "livenessProbe."} {
			add(container+p, probeFields)
		}
	case KindService:
		add("", serviceFields)
	case KindRoute:
		add("", routeFields)
	case KindWorkflow:
		add("", workflowFields)
		add("spec.", placementFields)
		add("spec.templates[].", stepFields)
		add("spec.templates[].", placementFields)
		add("spec.templates[].container.", stepContainerFields)
	case KindCronJob:
		add("", cronJobFields)
		add("spec.jobTemplate.spec.template.spec.", placementFields)
		add("spec.jobTemplate.spec.template.spec.containers[].", stepContainerFields)
	}
	return a
}
