package manifest

// Status is the status of the custom resource. Only Scanflow writes it.
type Status struct {
	ObservedGeneration int64         `json:"observedGeneration,omitempty" doc:"metadata.generation of the agent that the rest is about"`
	Conditions         []Condition   `json:"conditions,omitempty" list:"type" doc:"Accepted: whether the spec can be run as it is; Running: whether the agent runs"`
	Targets            int           `json:"targets" min:"0" doc:"how many targets the agent found at its last firing"`
	PolicyRevision     string        `json:"policyRevision,omitempty" doc:"the revision of the policies that it decides by"`
	LastDecision       *LastDecision `json:"lastDecision,omitempty" doc:"the last proposal that was decided on"`
	// A process that starts while the spec is invalid runs this one.
	LastGood map[string]any `json:"lastGood,omitempty" doc:"the last spec that could be run, while a later one can't: it is what runs"`
}

// The condition types of a Status.
const (
	// Accepted is false if the spec has mistakes. The last valid spec continues to run.
	Accepted = "Accepted"
	// Running is false if the agent can't run, or if another process runs it.
	Running = "Running"
)

// Condition is a condition as in the API conventions of Kubernetes.
type Condition struct {
	Type               string `json:"type" required:"true" doc:"what it is about"`
	Status             string `json:"status" required:"true" enum:"True,False,Unknown" doc:"whether it holds"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty" doc:"metadata.generation of the agent that was judged"`
	LastTransitionTime Time   `json:"lastTransitionTime" required:"true" doc:"when its status changed last"`
	Reason             string `json:"reason" required:"true" doc:"why, in one word"`
	Message            string `json:"message" doc:"why, for a person; every mistake of the spec with its field"`
}

// LastDecision is the last decision on a proposal.
type LastDecision struct {
	Time      Time   `json:"time" doc:"when it was decided"`
	Target    string `json:"target,omitempty" doc:"namespace/name of the target"`
	Primitive string `json:"primitive,omitempty" doc:"the verb"`
	Verdict   string `json:"verdict,omitempty" doc:"what became of it"`
	Reason    string `json:"reason,omitempty" doc:"the key of its reason, or what refused it"`
	Summary   string `json:"summary,omitempty" doc:"all of it in one line"`
	Detail    string `json:"detail,omitempty" doc:"what was to be changed, or why it was refused, in full"`
}

// MaxMessageLength is the maximum length of a string in a Status, in characters.
const MaxMessageLength = maxTextLength
