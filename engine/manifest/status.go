package manifest

// Status is the status of the custom resource. Only Scanflow writes it.
type Status struct {
	ObservedGeneration int64         `json:"observedGeneration,omitempty" doc:"metadata.generation of the agent that the rest is about"`
	Conditions         []Condition   `json:"conditions,omitempty" list:"type" doc:"Ready: whether the agent does what its spec says; Stalled: a person has to act; Reconciling: it can become ready by itself; Accepted: whether the spec can be run as it is; Running: whether the agent runs"`
	Targets            int           `json:"targets" min:"0" doc:"how many targets the agent found at its last firing"`
	PolicyRevision     string        `json:"policyRevision,omitempty" doc:"the revision of the policies that it decides by"`
	LastDecision       *LastDecision `json:"lastDecision,omitempty" doc:"the last proposal that was decided on"`
	// A process that starts while the spec is invalid runs this one.
	LastGood map[string]any `json:"lastGood,omitempty" doc:"the last spec that could be run, while a later one can't: it is what runs"`
	Refused  *TargetCount   `json:"refused,omitempty" doc:"targets with a proposal that stays refused until a person acts"`
	Failed   *TargetCount   `json:"failed,omitempty" doc:"targets with a proposal whose last act failed"`
	Held     *TargetCount   `json:"held,omitempty" doc:"targets with a proposal that waits for a claim, a cooldown, a budget, an approval or the next attempt, or with an act that does not get on"`
	// A process that leads anew asks whether they are still missing.
	MissingRights []MissingRight `json:"missingRights,omitempty" doc:"rights that the process lacks for this agent"`
}

// The condition types of a Status. Stalled and Reconciling are absent where they don't hold.
const (
	// Ready is true if the agent runs as its spec says.
	Ready = "Ready"
	// Stalled is true if the agent is not ready, and does not become so before a person acts.
	Stalled = "Stalled"
	// Reconciling is true if the agent is not ready, and may become so by itself.
	Reconciling = "Reconciling"
	// Accepted is false if the spec has mistakes. The last valid spec continues to run.
	Accepted = "Accepted"
	// Running is false if the agent can't run, or if another process runs it.
	Running = "Running"
)

// ConditionTypes are the condition types that Scanflow writes. Those of others stay.
var ConditionTypes = []string{Ready, Stalled, Reconciling, Accepted, Running}

// Condition is a condition as in the API conventions of Kubernetes.
type Condition struct {
	Type               string `json:"type" required:"true" doc:"what it is about"`
	Status             string `json:"status" required:"true" enum:"True,False,Unknown" doc:"whether it holds"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty" doc:"metadata.generation of the agent that was judged"`
	LastTransitionTime Time   `json:"lastTransitionTime" required:"true" doc:"when its status changed last"`
	Reason             string `json:"reason" required:"true" doc:"why, in one word"`
	Message            string `json:"message" doc:"why, for a person; every mistake of the spec with its field"`
}

// Condition returns the condition of a type, nil if there is none.
func (s *Status) Condition(kind string) *Condition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == kind {
			return &s.Conditions[i]
		}
	}
	return nil
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

// TargetCount counts targets whose proposals are not carried out.
type TargetCount struct {
	Targets   int    `json:"targets" min:"0" doc:"how many"`
	First     string `json:"first,omitempty" doc:"namespace/name of the first of them"`
	Primitive string `json:"primitive,omitempty" doc:"the verb of its proposal"`
	Why       string `json:"why,omitempty" doc:"why, as it was when the count or the first of them last changed"`
}

// MissingRight is a right that RBAC does not grant to the process.
type MissingRight struct {
	Verb      string `json:"verb" doc:"the verb of the request"`
	APIGroup  string `json:"apiGroup" doc:"the API group; empty for the core group"`
	Resource  string `json:"resource" doc:"the resource, with its subresource"`
	Namespace string `json:"namespace,omitempty" doc:"the namespace; absent for the whole cluster"`
	Name      string `json:"name,omitempty" doc:"the first object that was asked for"`
	User      string `json:"user,omitempty" doc:"who lacks the right"`
}

// MaxMessageLength is the maximum length of a string in a Status, in characters.
const MaxMessageLength = maxTextLength

// unjudged is the default of a Status: what an agent shows that no process has judged yet.
// Without it, tools that wait for agents would take one without a status for ready.
func unjudged() map[string]any {
	condition := func(kind, status string) map[string]any {
		return map[string]any{
			"type": kind, "status": status, "reason": "Pending", "message": "no Scanflow process has judged the agent yet",
			"lastTransitionTime": "1970-01-01T00:00:00Z",
		}
	}
	return map[string]any{"conditions": []any{condition(Ready, "Unknown"), condition(Reconciling, "True")}}
}

// Same reports whether two entries are the same right, whoever lacks it. Those to different
// objects are, except to Secrets.
func (r MissingRight) Same(o MissingRight) bool {
	r.User, o.User = "", ""
	if r.Resource != "secrets" {
		r.Name, o.Name = "", ""
	}
	return r == o
}
