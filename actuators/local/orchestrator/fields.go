package orchestrator

import "strings"

// The fields that are honoured, or truly have no effect here. Everything else is
// refused by name. "*" is any key, "[]" the items of a list, a trailing "**" all
// that is below.
//
// Accepted without effect: image, imagePullPolicy and imagePullSecrets (no image is
// pulled: the command says what runs), resources.requests (they matter to a
// scheduler that packs, and ours spreads), revisionHistoryLimit and
// progressDeadlineSeconds (they matter to rollbacks and conditions, which are not
// kept). Limits are refused, as nothing would enforce them, but for one on cpu that the
// container is told of: pod.CheckLimits.
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

// allowed is a tree of accepted fields.
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

// child is where a field leads; nil if it is refused.
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
