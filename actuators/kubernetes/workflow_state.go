package kubernetes

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// runState is the state of a run, in Argo's terms for a Job as well.
type runState struct {
	phase    string // "", Pending, Running, Succeeded, Failed or Error
	message  string
	progress string // for a person
	endedAt  time.Time
	outputs  map[string]string
}

func (s *runState) succeeded() bool { return s.phase == "Succeeded" }
func (s *runState) ended() bool {
	return s.succeeded() || s.phase == "Failed" || s.phase == "Error"
}

// String is "Running, 2/5".
func (s *runState) String() string {
	text := s.phase
	if text == "" {
		text = "not taken up yet: is its controller running?"
	}
	if s.progress != "" {
		text += ", " + s.progress
	}
	if s.message != "" {
		text += ": " + s.message
	}
	return text
}

func runStateOf(o *unstructured.Unstructured) runState {
	if o.GetKind() == "Job" {
		return jobState(o)
	}
	text := func(name string) string { return fieldpath.Text(o.Object, "status", name) }
	s := runState{phase: text("phase"), message: text("message"), progress: text("progress")}
	s.endedAt = timeOf(text("finishedAt"))
	if s.ended() {
		s.outputs = outputsOf(o)
	}
	return s
}

// outputsOf returns the output parameters of the workflow and of its entrypoint, whose node
// has the workflow's name. Where Argo stores the nodes elsewhere or compressed, it returns
// only the workflow's.
func outputsOf(o *unstructured.Unstructured) map[string]string {
	out := map[string]string{}
	for _, path := range []fieldpath.Path{{"status", "nodes", o.GetName(), "outputs"}, {"status", "outputs"}} {
		found, _ := fieldpath.Find(o.Object, path...)
		outputs, _ := found.(map[string]any)
		for _, parameter := range fieldpath.Maps(outputs, "parameters") {
			name, _ := parameter["name"].(string)
			if value, ok := parameter["value"]; ok && name != "" {
				out[name] = fmt.Sprint(value)
			}
		}
	}
	return out
}

func jobState(o *unstructured.Unstructured) runState {
	count := func(path ...any) int64 { n, _ := fieldpath.Int(o.Object, path...); return n }
	want, has := fieldpath.Int(o.Object, "spec", "completions")
	if !has {
		want = 1
	}
	s := runState{phase: "Pending"}
	s.progress = fmt.Sprintf("%d of %d succeeded", count("status", "succeeded"), want)
	for _, also := range []string{"active", "failed"} {
		if n := count("status", also); n > 0 {
			s.progress += fmt.Sprintf(", %d %s", n, also)
			s.phase = "Running"
		}
	}
	for _, c := range fieldpath.Maps(o.Object, "status", "conditions") {
		if fieldpath.Text(c, "status") != "True" {
			continue
		}
		switch fieldpath.Text(c, "type") {
		case "Complete":
			s.phase = "Succeeded"
		case "Failed":
			s.phase, s.message = "Failed", fieldpath.Text(c, "message")
		default:
			continue
		}
		s.endedAt = timeOf(fieldpath.Text(c, "lastTransitionTime"))
	}
	return s
}

// timeOf parses a time; a malformed one is zero.
func timeOf(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at
}
