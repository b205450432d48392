package workflow

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Template has the fields of an argoproj.io/v1alpha1 WorkflowTemplate that are honoured
// here, or have no effect here.
type Template struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              Spec `json:"spec"`
}

// Spec is the specification of a workflow.
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

// Metadata has the labels and annotations of pods.
type Metadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// StepTemplate is a template of a step: a container or a dag.
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

// Arguments are the values of a template's inputs.
type Arguments struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
}

// Inputs are the inputs of a template.
type Inputs struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
}

// Outputs are the outputs of a template.
type Outputs struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
}

// Parameter is a named string.
type Parameter struct {
	Name        string     `json:"name"`
	Value       *Text      `json:"value,omitempty"`
	Default     *Text      `json:"default,omitempty"`
	Enum        []Text     `json:"enum,omitempty"`
	Description *Text      `json:"description,omitempty"`
	ValueFrom   *ValueFrom `json:"valueFrom,omitempty"` // of outputs
}

// ValueFrom is the source of an output: a file for a container, a task's output parameter
// for a dag.
type ValueFrom struct {
	Path      string `json:"path,omitempty"`
	Parameter string `json:"parameter,omitempty"`
	Default   *Text  `json:"default,omitempty"`
}

// Artifact is a file or a folder. It is stored in the run's folder, and not at its Path.
type Artifact struct {
	Name     string         `json:"name"`
	Path     string         `json:"path,omitempty"`
	From     string         `json:"from,omitempty"` // of a task's arguments and a dag's outputs
	Optional bool           `json:"optional,omitempty"`
	Archive  map[string]any `json:"archive,omitempty"` // no effect here: nothing is packed
}

// DAG is a set of tasks with dependencies.
type DAG struct {
	Tasks []Task `json:"tasks"`
	// FailFast starts no further task once one has failed. The default is true.
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

// RetryStrategy configures the retries of a step.
type RetryStrategy struct {
	// Limit is the number of attempts after the first.
	Limit       *intstr.IntOrString `json:"limit,omitempty"`
	RetryPolicy string              `json:"retryPolicy,omitempty"`
	Backoff     *Backoff            `json:"backoff,omitempty"`
}

// Backoff is the wait before a retry: Duration before the first one, multiplied by Factor
// for each further one, at most Cap. Durations are whole seconds, or like "2m".
type Backoff struct {
	Duration string              `json:"duration,omitempty"`
	Factor   *intstr.IntOrString `json:"factor,omitempty"`
	Cap      string              `json:"cap,omitempty"`
	// MaxDuration bounds all attempts together.
	MaxDuration string `json:"maxDuration,omitempty"`
}

// template returns a template by name; nil if there is none.
func (s *Spec) template(name string) *StepTemplate {
	for i := range s.Templates {
		if s.Templates[i].Name == name {
			return &s.Templates[i]
		}
	}
	return nil
}
