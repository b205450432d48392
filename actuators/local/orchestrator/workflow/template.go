package workflow

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Template is the part of an argoproj.io/v1alpha1 WorkflowTemplate that is honoured
// here, or truly has no effect here.
type Template struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              Spec `json:"spec"`
}

// Spec is what is run.
type Spec struct {
	Entrypoint            string            `json:"entrypoint"`
	Arguments             Arguments         `json:"arguments,omitzero"`
	Templates             []StepTemplate    `json:"templates"`
	ActiveDeadlineSeconds *int64            `json:"activeDeadlineSeconds,omitempty"`
	Parallelism           *int64            `json:"parallelism,omitempty"` // steps at once
	NodeSelector          map[string]string `json:"nodeSelector,omitempty"`
	Affinity              *corev1.Affinity  `json:"affinity,omitempty"`
	PodMetadata           *Metadata         `json:"podMetadata,omitempty"`
	WorkflowMetadata      map[string]any    `json:"workflowMetadata,omitempty"`      // no effect here
	ServiceAccountName    string            `json:"serviceAccountName,omitempty"`    // no effect here
	ImagePullSecrets      []any             `json:"imagePullSecrets,omitempty"`      // no effect here
	TTLStrategy           map[string]any    `json:"ttlStrategy,omitempty"`           // no effect here
	PodGC                 map[string]any    `json:"podGC,omitempty"`                 // no effect here
	ArchiveLogs           *bool             `json:"archiveLogs,omitempty"`           // no effect here
	ArtifactRepositoryRef map[string]any    `json:"artifactRepositoryRef,omitempty"` // no effect here
}

// Metadata is set on the pods.
type Metadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// StepTemplate is a program to run (a container) or steps that depend on each other (a dag).
type StepTemplate struct {
	Name                  string              `json:"name"`
	Inputs                Inputs              `json:"inputs,omitzero"`
	Outputs               Outputs             `json:"outputs,omitzero"`
	DAG                   *DAG                `json:"dag,omitempty"`
	Container             *corev1.Container   `json:"container,omitempty"`
	RetryStrategy         *RetryStrategy      `json:"retryStrategy,omitempty"`
	ActiveDeadlineSeconds *intstr.IntOrString `json:"activeDeadlineSeconds,omitempty"` // of each attempt
	Metadata              *Metadata           `json:"metadata,omitempty"`
	NodeSelector          map[string]string   `json:"nodeSelector,omitempty"`       // instead of the workflow's
	Affinity              *corev1.Affinity    `json:"affinity,omitempty"`           // instead of the workflow's
	ServiceAccountName    string              `json:"serviceAccountName,omitempty"` // no effect here
}

// Arguments are handed to a template.
type Arguments struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
}

// Inputs are what a template takes.
type Inputs struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
}

// Outputs are what a template gives.
type Outputs struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
}

// Parameter is a short text.
type Parameter struct {
	Name        string     `json:"name"`
	Value       *Text      `json:"value,omitempty"`
	Default     *Text      `json:"default,omitempty"`
	Enum        []Text     `json:"enum,omitempty"`
	Description *Text      `json:"description,omitempty"`
	ValueFrom   *ValueFrom `json:"valueFrom,omitempty"` // of outputs
}

// ValueFrom is where an output comes from: the file at a path for a container, another
// parameter for a dag.
type ValueFrom struct {
	Path      string `json:"path,omitempty"`
	Parameter string `json:"parameter,omitempty"`
	Default   *Text  `json:"default,omitempty"`
}

// Artifact is a file or a folder. What is at its path in a container lies in the run's
// folder here.
type Artifact struct {
	Name     string         `json:"name"`
	Path     string         `json:"path,omitempty"`
	From     string         `json:"from,omitempty"` // of a task's arguments and a dag's outputs
	Optional bool           `json:"optional,omitempty"`
	Archive  map[string]any `json:"archive,omitempty"` // no effect here: nothing is packed
}

// DAG is tasks that depend on each other.
type DAG struct {
	Tasks []Task `json:"tasks"`
	// FailFast has no task begin once one has failed; it does where it isn't set.
	FailFast *bool `json:"failFast,omitempty"`
}

// Task is one use of a template.
type Task struct {
	Name         string    `json:"name"`
	Template     string    `json:"template"`
	Dependencies []string  `json:"dependencies,omitempty"`
	Depends      string    `json:"depends,omitempty"`
	Arguments    Arguments `json:"arguments,omitzero"`
}

// RetryStrategy says when a step that failed is tried again.
type RetryStrategy struct {
	// Limit is how many attempts there may be after the first.
	Limit       *intstr.IntOrString `json:"limit,omitempty"`
	RetryPolicy string              `json:"retryPolicy,omitempty"`
	Backoff     *Backoff            `json:"backoff,omitempty"`
}

// Backoff spaces out the attempts: Duration before the second, each further wait
// Factor times the one before, at most Cap. Durations are whole seconds, or like "2m".
type Backoff struct {
	Duration string              `json:"duration,omitempty"`
	Factor   *intstr.IntOrString `json:"factor,omitempty"`
	Cap      string              `json:"cap,omitempty"`
	// MaxDuration is for all attempts together.
	MaxDuration string `json:"maxDuration,omitempty"`
}

// template finds a template by name; nil if there is none.
func (s *Spec) template(name string) *StepTemplate {
	for i := range s.Templates {
		if s.Templates[i].Name == name {
			return &s.Templates[i]
		}
	}
	return nil
}
