package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// writtenDocument is the JSON form that Document.Input has.
type writtenDocument struct {
	Agent   *AgentInfo               `json:"agent"`
	NowNS   *int64                   `json:"now_ns"`
	Trigger *TriggerInfo             `json:"trigger"`
	Target  writtenTarget            `json:"target"`
	Signals map[string]writtenSignal `json:"signals"`
	Params  map[string]any           `json:"params"`
	Memory  Memory                   `json:"memory"`
	Claims  map[string]Claim         `json:"claims"`
}

type writtenTarget struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Namespace  string            `json:"namespace"`
	Name       string            `json:"name"`
	Labels     map[string]string `json:"labels"`
	Replicas   *Replicas         `json:"replicas"`
	Placement  []string          `json:"placement"`
	Model      string            `json:"model"`
	Pods       []TargetPod       `json:"pods"`
	Omitted    int               `json:"pods_omitted"`
}

func (w writtenTarget) target() Target {
	return Target{
		APIVersion: w.APIVersion, Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, Labels: w.Labels, Replicas: w.Replicas,
		Placement: w.Placement, Model: w.Model, Pods: w.Pods, PodsOmitted: w.Omitted,
	}
}

type writtenSignal struct {
	State     State             `json:"state"`
	Value     any               `json:"value"`
	Last      any               `json:"last"`
	AgeNS     *int64            `json:"age_ns"`
	Window    int64             `json:"window"`
	Since     *int64            `json:"since_ns"`
	Missing   map[string]State  `json:"missing"`
	Sustained *writtenSustained `json:"sustained"`
}

type writtenSustained struct {
	Samples int            `json:"samples"`
	Span    time.Duration  `json:"span_ns"`
	Min     *float64       `json:"min"`
	Max     *float64       `json:"max"`
	Avg     *float64       `json:"avg"`
	Above   *time.Duration `json:"above_ns"`
	Below   *time.Duration `json:"below_ns"`
}

func (w *writtenSustained) read() (*Sustained, error) {
	out := &Sustained{Samples: w.Samples, Span: w.Span, Above: w.Above, Below: w.Below}
	switch {
	case w.Min != nil && w.Max != nil && w.Avg != nil:
		out.Covered, out.Min, out.Max, out.Avg = true, *w.Min, *w.Max, *w.Avg
	case w.Min != nil || w.Max != nil || w.Avg != nil:
		return nil, errors.New("has some of min, max and avg; write all three, or none where the samples do not cover the span")
	}
	return out, nil
}

// ReadDocument reads a document as the journal keeps it and `scanflow eval`
// prints it. What is left out is empty; a field that no document has is refused,
// with the place.
func ReadDocument(raw []byte) (*Document, error) {
	var w writtenDocument
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&w); err != nil {
		return nil, fmt.Errorf("%s%w; `scanflow eval` prints a document to begin with", lineOf(raw, err), err)
	}
	jsonvalue.Normalize(&w)
	out := &Document{Agent: &AgentInfo{}, Trigger: &TriggerInfo{Kind: "manual"}, Params: w.Params, Memory: w.Memory}
	if w.Agent != nil {
		out.Agent = w.Agent
	}
	if w.Trigger != nil {
		out.Trigger = w.Trigger
	}
	if w.NowNS != nil {
		out.Now = time.Unix(0, *w.NowNS).UTC()
	}
	out.Target = w.Target.target()
	for _, name := range slices.Sorted(maps.Keys(w.Signals)) {
		s := w.Signals[name]
		if !slices.Contains(States, s.State) {
			return nil, fmt.Errorf("signals.%s.state: %q is none of ok, empty, nan, stale, error", name, s.State)
		}
		signal := Signal{State: s.State, Value: s.Value, Last: s.Last, Window: time.Duration(s.Window), Missing: s.Missing}
		for member, state := range s.Missing {
			if !slices.Contains(States[1:], state) {
				return nil, fmt.Errorf("signals.%s.missing.%s: %q is none of empty, nan, stale, error", name, member, state)
			}
			if s.State == OK {
				return nil, fmt.Errorf("signals.%s.missing.%s: is there only where the state is not ok; leave it out", name, member)
			}
		}
		if s.AgeNS != nil {
			signal.At = out.Now.Add(-time.Duration(*s.AgeNS))
		}
		if s.Since != nil {
			signal.Since = time.Unix(0, *s.Since).UTC()
		}
		if s.Sustained != nil {
			if s.State != OK {
				return nil, fmt.Errorf("signals.%s.sustained: is there only in state ok, and the state is %s; leave it out", name, s.State)
			}
			var err error
			if signal.Sustained, err = s.Sustained.read(); err != nil {
				return nil, fmt.Errorf("signals.%s.sustained: %w", name, err)
			}
		}
		out.Names = append(out.Names, name)
		out.Signals = append(out.Signals, signal)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Claims)) {
		c := w.Claims[name]
		c.Name = name
		out.Claims = append(out.Claims, c)
	}
	return out, nil
}

// lineOf returns "line N: " where a JSON error has an offset.
func lineOf(raw []byte, err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var at int64
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
	default:
		return ""
	}
	return fmt.Sprintf("line %d: ", 1+bytes.Count(raw[:min(int(at), len(raw))], []byte("\n")))
}
