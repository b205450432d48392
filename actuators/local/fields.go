package local

import "strings"

// The fields that are honoured, or truly have no effect here. Everything else is
// refused by name. "*" is any key, "[]" the items of a list, a trailing "**" all
// that is below.
//
// Accepted without effect: image, imagePullPolicy and imagePullSecrets (no image is
// pulled: the command says what runs), resources.requests (they matter to a
// scheduler that packs, and ours spreads), revisionHistoryLimit and
// progressDeadlineSeconds (they matter to rollbacks and conditions, which are not
// kept). Limits are refused: nothing would enforce them.
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
ports[].name
ports[].containerPort
ports[].protocol
resources.requests.*
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
nodeSelector.*
affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].labelSelector.**
affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].topologyKey
affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaces[]
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
)

// fixes say what to do instead, by the field's name.
var fixes = map[string]string{
	"initContainers":            "do that work in the container's own start, or in a workload of its own",
	"volumes":                   "a process sees this machine's own files; name a folder in args or env",
	"volumeMounts":              "a process sees this machine's own files; name a folder in args or env",
	"securityContext":           "a process runs as the user who started scanflow",
	"hostNetwork":               "every local pod is on this machine's network already; remove it",
	"limits":                    "nothing enforces it on a process; remove it, or keep only requests",
	"envFrom":                   "write the variables in env",
	"configMapKeyRef":           "write the value in env",
	"secretKeyRef":              "have the process read a file or ask for it; no secret is kept here",
	"serviceAccountName":        "a process has no service account; remove it",
	"nodeName":                  "use nodeSelector with kubernetes.io/hostname",
	"nodeAffinity":              "use nodeSelector with kubernetes.io/hostname",
	"topologySpreadConstraints": "pods are spread over the nodes already; for never two on one node use a required podAntiAffinity",
	"status":                    "it is what a cluster reports, not a wish; remove it",
	"matches":                   "every request of the listener goes by the weights; remove it",
	"filters":                   "requests are passed on as they are; remove it",
	"hostnames":                 "a local route listens on its port for every host name; remove it",
}

const defaultFix = "remove it, or run this workload on Kubernetes"

func fixFor(name string) string {
	if fix, ok := fixes[name]; ok {
		return fix
	}
	return defaultFix
}

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
	case kindDeployment:
		add("", deploymentFields)
		add("spec.template.spec.", podFields)
		const container = "spec.template.spec.containers[]."
		add(container, containerFields)
		for _, p := range []string{"startupProbe.", "readinessProbe.", "livenessProbe."} {
			add(container+p, probeFields)
		}
	case kindService:
		add("", serviceFields)
	case kindRoute:
		add("", routeFields)
	}
	return a
}
