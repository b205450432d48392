package orchestrator

// fixes maps the name of a refused field to what to do instead.
var fixes = map[string]string{
	"initContainers":            "do that work in the container's own start, or in a workload of its own",
	"volumes":                   "a process sees this machine's own files; name a folder in args or env",
	"volumeMounts":              "a process sees this machine's own files; name a folder in args or env",
	"securityContext":           "a process runs as the user who started scanflow",
	"hostNetwork":               "every local pod is on this machine's network already; remove it",
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

// workflowFixes takes precedence over fixes in a WorkflowTemplate.
var workflowFixes = map[string]string{
	"steps":           "write them as a dag, each depending on the one before",
	"script":          "write it as a container: the interpreter as command, the source in args",
	"initContainers":  "make it a task that comes before",
	"sidecars":        "run it as a Deployment",
	"daemon":          "run it as a Deployment",
	"when":            "have the step itself see whether there is anything to do",
	"withItems":       "write a task for each item",
	"withParam":       "write a task for each item, or have one step go through them",
	"withSequence":    "write a task for each item",
	"templateRef":     "copy the template into this WorkflowTemplate",
	"inline":          "make it a template of its own",
	"onExit":          "have an agent act on the event of the run's end",
	"hooks":           "have an agent act on the event of the run's end",
	"continueOn":      "have the step itself succeed, and say in an output how it went",
	"s3":              "artifacts are kept in the run's folder here, and in the default artifact repository on a cluster; remove it",
	"globalName":      "give it as an output of the entrypoint's dag",
	"expression":      "write a plain reference, or do it in a step",
	"result":          "have the step write a file, and give that as an output parameter (valueFrom.path)",
	"volumes":         "hand files on as artifacts",
	"volumeMounts":    "hand files on as artifacts",
	"synchronization": "an agent has one run of a name at a time for each target already; remove it",
	"tolerations":     "local nodes have no taints; remove it",
	"ports":           "a step serves nobody here; run what serves as a Deployment",
	"dependencies":    "write it on a task of a dag",
}

const defaultFix = "remove it, or run this workload on Kubernetes"

func fixFor(kind, name string) string {
	if fix, ok := workflowFixes[name]; ok && kind == KindWorkflow {
		return fix
	}
	if fix, ok := fixes[name]; ok {
		return fix
	}
	return defaultFix
}
