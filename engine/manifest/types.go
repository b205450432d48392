package manifest

import (
	"reflect"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine"
)

// APIVersion and Kind identify an Agent.
const (
	APIVersion = "scanflow.dev/v1alpha1"
	Kind       = "Agent"
)

// Agent is a manifest: a named loop with triggers, sensors, strategies and guards.
type Agent struct {
	APIVersion string   `json:"apiVersion" required:"true" enum:"scanflow.dev/v1alpha1" doc:"version of this format"`
	Kind       string   `json:"kind" required:"true" enum:"Agent" doc:"kind of object"`
	Metadata   Metadata `json:"metadata" required:"true" doc:"the agent's name and labels"`
	Spec       Spec     `json:"spec" required:"true" doc:"what the agent does"`

	// File and Line are those of the manifest; Line is 0 for a custom resource.
	File string `json:"-"`
	Line int    `json:"-"`
	node *yaml.Node
	// verbs are the types of the parameters of all verbs that there are.
	verbs map[string]reflect.Type
	// object names the agent in mistakes, if its line alone is hard to find.
	object string
}

// Metadata is the name of the agent, with labels and annotations.
type Metadata struct {
	Name        string            `json:"name" required:"true" doc:"the agent's name, unique in its namespace (a DNS label: lower-case letters, digits and -)"`
	Namespace   string            `json:"namespace,omitempty" default:"default" doc:"the agent's namespace"`
	Labels      map[string]string `json:"labels,omitempty" doc:"labels of the agent itself; Scanflow does not read them"`
	Annotations map[string]string `json:"annotations,omitempty" doc:"annotations of the agent itself; Scanflow does not read them"`
}

// Spec is the configuration of the agent.
type Spec struct {
	Role        string         `json:"role,omitempty" doc:"the agent's part: monitor, analyzer, planner, executor, or a word of your own; policies see it as input.agent.role"`
	Layer       string         `json:"layer,omitempty" enum:"application,infrastructure" doc:"the layer at which the agent acts; policies see it as input.agent.layer"`
	Mode        engine.Mode    `json:"mode,omitempty" enum:"enforce,dry-run,paused" default:"enforce" doc:"enforce acts; dry-run decides, plans and records but never acts; paused senses and decides, admits nothing, and events wait"`
	Targets     Targets        `json:"targets" required:"true" doc:"the fleet: either apiVersion, kind and selector, or static"`
	Triggers    []Trigger      `json:"triggers" list:"name" required:"true" doc:"when the loop runs; at least one"`
	Sensors     []Sensor       `json:"sensors,omitempty" list:"name" doc:"the signals to sample; each has one key more, its kind, with the settings of that kind"`
	Strategies  []string       `json:"strategies,omitempty" list:"set" doc:"strategies to ask, as DOMAIN.NAME of the Rego package scanflow.strategies.DOMAIN.NAME"`
	Primitives  []string       `json:"primitives,omitempty" list:"set" doc:"the verbs that the agent may use; any other is refused and recorded"`
	Params      map[string]any `json:"params,omitempty" doc:"values for the policies, any JSON, as input.params; a whole number beyond 2^53 in quotes; never secrets"`
	Priority    int            `json:"priority,omitempty" min:"-1000" max:"1000" doc:"which of two agents wins that write one field: the higher one may write over what the other holds (guards.hold), though never into an act that runs; 0 if absent, and among equals who wrote first holds"`
	RetryFor    Duration       `json:"retryFor,omitzero" doc:"how long a webhook is tried whose receiver does not answer, or asks to come again later; if absent, 24h for what an event, an alert or a person's answer set going, and one interval of the trigger, at least 1m, for the rest"`
	Credentials []Credential   `json:"credentials,omitempty" doc:"what to show to the addresses that webhook, event.send and approvalNotify call, by reference"`
	Guards      Guards         `json:"guards,omitzero" doc:"bounds that no policy can relax; without them none applies"`
}

// Targets is the fleet: a selector, or a static list.
type Targets struct {
	APIVersion string         `json:"apiVersion,omitempty" doc:"API version of the workloads, like apps/v1"`
	Kind       string         `json:"kind,omitempty" doc:"kind of the workloads, like Deployment"`
	Namespace  string         `json:"namespace,omitempty" doc:"namespace to look in; the agent's own if absent, every namespace if \"*\""`
	Selector   *Selector      `json:"selector,omitempty" doc:"which of the workloads are targets"`
	Static     []StaticTarget `json:"static,omitempty" doc:"targets that no orchestrator runs, written down"`
	Pods       bool           `json:"pods,omitempty" doc:"the document has each target's pods, as input.target.pods, and restart may be given one of them"`
}

// Selector selects objects by their labels.
type Selector struct {
	MatchLabels map[string]string `json:"matchLabels,omitempty" doc:"labels that a target must have, all of them; empty takes every workload of the kind"`
}

// StaticTarget is a target of a static list.
type StaticTarget struct {
	Name      string            `json:"name" required:"true" doc:"the target's name"`
	Namespace string            `json:"namespace,omitempty" doc:"the target's namespace; the agent's own if absent"`
	Labels    map[string]string `json:"labels,omitempty" doc:"labels, for sensors to match and policies to read"`
}

// Trigger starts the loop, by exactly one of every, cron, at, event, alert and watch.
type Trigger struct {
	Name     string        `json:"name" required:"true" doc:"name of the trigger, unique in the agent; policies see it as input.trigger.name"`
	Every    Duration      `json:"every,omitzero" doc:"fire with this interval, the first time at once; at least 100ms"`
	Jitter   Duration      `json:"jitter,omitzero" doc:"with every: be late by a random part of this span, so that agents don't fire all together; less than every"`
	Cron     string        `json:"cron,omitempty" doc:"fire by a cron expression of five fields (minute hour day month weekday), or @hourly, @daily, @weekly, @monthly, @yearly"`
	Timezone string        `json:"timezone,omitempty" doc:"with cron: the time zone, like Europe/Madrid; UTC if absent"`
	At       Time          `json:"at,omitzero" doc:"fire once, at this time (RFC 3339); a time that is past never fires"`
	Event    *EventTrigger `json:"event,omitempty" doc:"fire for each event of a type"`
	Alert    *AlertTrigger `json:"alert,omitempty" doc:"fire for each alert that begins or ends, as Alertmanager tells POST /v1/alerts"`
	Wait     Duration      `json:"wait,omitzero" doc:"with event or alert: how long one waits, and lets others pass, where a guard refuses what is proposed for it; if absent, it becomes a dead letter at once, with the reason"`
	Watch    *WatchTrigger `json:"watch,omitempty" doc:"fire when an object appears, disappears or changes; on Kubernetes only"`
}

// EventTrigger fires for events.
type EventTrigger struct {
	Type string   `json:"type" required:"true" doc:"the CloudEvents type, like dev.scanflow.retrain.requested"`
	From []string `json:"from,omitempty" list:"set" doc:"whose events are taken: agents as namespace/name, or senders of --senders by name; if absent, those of every agent of the installation and of whoever holds the process's own token (api)"`
}

// AlertTrigger fires for alerts.
type AlertTrigger struct {
	Name        string            `json:"name,omitempty" doc:"the alert's name (its label alertname); any if absent"`
	MatchLabels map[string]string `json:"matchLabels,omitempty" doc:"labels that the alert must have, all of them"`
	Status      string            `json:"status,omitempty" enum:"firing,resolved,any" default:"firing" doc:"when: as it begins, as it ends, or both"`
	From        []string          `json:"from,omitempty" list:"set" doc:"whose alerts are taken, senders of --senders by name; if absent, those of whoever holds the process's own token (api)"`
}

// WatchTrigger fires for changes of objects.
type WatchTrigger struct {
	APIVersion string    `json:"apiVersion" required:"true" doc:"API version of the objects, like apps/v1"`
	Kind       string    `json:"kind" required:"true" doc:"kind of the objects, like Deployment"`
	Namespace  string    `json:"namespace,omitempty" doc:"namespace to look in; the agent's own if absent, every namespace if \"*\""`
	Name       string    `json:"name,omitempty" doc:"name of the one object; every object of the kind if absent"`
	Selector   *Selector `json:"selector,omitempty" doc:"which of the objects; all if absent"`
	Field      string    `json:"field,omitempty" doc:"a field of the object, as a dotted path like status.readyReplicas: fire only when its value changes; if absent, when the object's spec or labels change"`
}

// Sensor samples one signal. In the manifest it has one more key, which is its kind.
type Sensor struct {
	Name       string   `json:"name" required:"true" doc:"name of the signal, as in input.signals.NAME: a lower-case letter, then lower-case letters, digits and _"`
	StaleAfter Duration `json:"staleAfter,omitzero" doc:"age beyond which a value is stale and may not be used; if absent, age is not judged"`
	Timeout    Duration `json:"timeout,omitzero" default:"5s" doc:"bound of one sample"`
	Since      string   `json:"since,omitempty" doc:"name of a mark: what is sampled is a total that only grows, and the value is by how much it grew since a proposal last set that mark (marks: [NAME]); all of it if none ever did"`
	// Sustained is nil where nothing asks for how long values have held.
	Sustained *Sustained `json:"sustained,omitempty" doc:"of a number: the signal has sustained too, which says how long its values have held; a restart begins anew, and so does a sample that is not ok"`

	// Kind is a key of Kinds.Sensors, and Config the decoded value that its function
	// returned.
	Kind   string `json:"-"`
	Config any    `json:"-"`
}

// Guards are the bounds that no policy can relax.
type Guards struct {
	Replicas       *ReplicaGuard       `json:"replicas,omitempty" doc:"clamps what scale and autoscaler ask for; clamping is recorded"`
	Cooldown       map[string]Duration `json:"cooldown,omitempty" doc:"pause between acts on one target: by direction (up, down) for verbs that have one, by verb for the rest; down counts from the last act in either direction"`
	Hold           *Duration           `json:"hold,omitempty" doc:"how long a field that this agent wrote stays held against other agents, unless their spec.priority is higher: from the end of the act on, and at least for its cooldown; 5m if absent, 0s for the cooldown alone"`
	Budget         *BudgetGuard        `json:"budget,omitempty" doc:"bounds the acts on each target"`
	Fleet          *FleetGuard         `json:"fleet,omitempty" doc:"blast radius: bounds how much of the fleet is acted on"`
	Approval       []string            `json:"approval,omitempty" list:"set" doc:"verbs, of those in primitives, that wait for a person"`
	ApprovalExpiry Duration            `json:"approvalExpiry,omitzero" default:"24h" doc:"how long a question to a person stands, and how long a denial holds"`
	ApprovalNotify string              `json:"approvalNotify,omitempty" doc:"address that is told when somebody is asked, by a POST of a CloudEvent; it must be one that urls allows"`
	URLs           []string            `json:"urls,omitzero" doc:"where webhook and event.send may go: the same scheme and host, and this path or one below; if absent, only loopback and in-cluster addresses"`
}

// ReplicaGuard bounds the number of replicas and how fast it changes.
type ReplicaGuard struct {
	Min      int `json:"min,omitempty" min:"0" default:"0" doc:"least replicas"`
	Max      int `json:"max,omitempty" min:"1" doc:"most replicas; unbounded if absent"`
	StepUp   int `json:"stepUp,omitempty" min:"1" doc:"most replicas to add at once; unbounded if absent"`
	StepDown int `json:"stepDown,omitempty" min:"1" doc:"most replicas to take away at once; unbounded if absent"`
}

// BudgetGuard bounds the acts on one target within a span of time.
type BudgetGuard struct {
	Actions    int      `json:"actions" min:"1" required:"true" doc:"most acts on one target, no-ops not counted"`
	Per        Duration `json:"per" required:"true" doc:"the span of time that they are counted in"`
	Primitives []string `json:"primitives,omitempty" list:"set" doc:"verbs, of those in primitives, that are counted and bounded, and no others; all if absent"`
}

// FleetGuard bounds how many different targets are acted on within a span of time.
type FleetGuard struct {
	Targets    Share    `json:"targets" required:"true" doc:"most targets: a number, or a percentage like 10%, which allows at least one"`
	Per        Duration `json:"per" required:"true" doc:"the span of time that they are counted in"`
	Primitives []string `json:"primitives,omitempty" list:"set" doc:"verbs, of those in primitives, that are counted and bounded, and no others; all if absent"`
}
