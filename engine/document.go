package engine

import (
	"encoding/json"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// Document is the input to Rego for one target at one moment. The engine keeps
// one for each target and changes it in place from firing to firing, so that the
// policy engine can reuse the sections that did not change.
type Document struct {
	Agent   *AgentInfo
	Now     time.Time
	Trigger *TriggerInfo
	Target  Target
	// Names and Signals are parallel. Names is shared by all targets of an agent.
	Names   []string
	Signals []Signal
	Params  map[string]any
	Memory  Memory
	Claims  []Claim
	// Sections is the policy engine's place to keep the sections it parsed; the
	// engine only carries it along with the target.
	Sections any
}

// Memory is the part of an agent's memory of one target that documents have, by strategy.
type Memory map[string]StrategyMemory

// StrategyMemory is the last outcome of each verb that the strategy proposed, the note that
// its last admitted proposal left, and the value of its rule remember.
type StrategyMemory struct {
	Last       map[string]LastAct `json:"last,omitempty"`
	Note       any                `json:"note,omitempty"`
	Remembered any                `json:"remembered,omitempty"`
}

// LastAct is the last act of one verb.
type LastAct struct {
	AtNS    int64          `json:"at_ns"`
	Outcome Status         `json:"outcome"`
	With    map[string]any `json:"with,omitempty"`
}

// Claim is a field of a target that an act writes, or that an act wrote and whose cooldown
// has not ended.
type Claim struct {
	Name     string `json:"-"`
	Agent    string `json:"agent"`
	Strategy string `json:"strategy"`
	Verb     string `json:"verb"`
	// State is "running" or "cooling".
	State string `json:"state"`
}

// Input returns the document as JSON values: Rego's `input`. The journal keeps it and
// `scanflow eval` prints it.
//
//	agent    {namespace, name, role, layer}
//	now_ns   nanoseconds since the Unix epoch
//	trigger  {name, kind, event?, watch?, approval?}
//	target   {apiVersion, kind, namespace, name, labels, replicas? {desired, ready}, placement?, model?,
//	          pods? [{name, ready, restarts, started_ns, ready_since_ns?}], pods_omitted?}
//	signals  NAME: {state, value (only if ok) or last (if there was one), age_ns, window (ns), since_ns (if it counts),
//	         missing (members without a number, of an object by label or pod that is not ok) {MEMBER: STATE},
//	         sustained (if the sensor has it) {samples, span_ns, min?, max?, avg?, above_ns?, below_ns?}}
//	params   as in the manifest
//	memory   STRATEGY: {last: VERB: {at_ns, outcome, with}, note, remembered}
//	claims   CLAIM: {agent, strategy, verb, state}
func (d *Document) Input() map[string]any {
	signals := make(map[string]any, len(d.Names))
	for i, name := range d.Names {
		signals[name] = d.Signals[i].Input(d.Now)
	}
	claims := make(map[string]any, len(d.Claims))
	for _, c := range d.Claims {
		claims[c.Name] = jsonValue(c)
	}
	memory := make(map[string]any, len(d.Memory))
	for name, m := range d.Memory {
		memory[name] = m.Input()
	}
	params := d.Params
	if params == nil {
		params = map[string]any{}
	}
	return map[string]any{
		"agent":   jsonValue(d.Agent),
		"now_ns":  d.Now.UnixNano(),
		"trigger": jsonValue(d.Trigger),
		"target":  d.Target.Input(),
		"signals": signals,
		"params":  params,
		"memory":  memory,
		"claims":  claims,
	}
}

// Input returns one strategy's part of the memory as JSON values. Nanoseconds stay whole
// numbers: a float64 would be off by up to 128.
func (m StrategyMemory) Input() map[string]any {
	out := map[string]any{}
	if len(m.Last) > 0 {
		last := make(map[string]any, len(m.Last))
		for verb, act := range m.Last {
			one := map[string]any{"at_ns": act.AtNS, "outcome": string(act.Outcome)}
			if len(act.With) > 0 {
				one["with"] = act.With
			}
			last[verb] = one
		}
		out["last"] = last
	}
	if m.Note != nil {
		out["note"] = m.Note
	}
	if m.Remembered != nil {
		out["remembered"] = m.Remembered
	}
	return out
}

// Age returns the time since the signal was measured; 0 where its stamp is in the future,
// as clocks differ a little.
func (s *Signal) Age(now time.Time) time.Duration { return max(now.Sub(s.At), 0) }

// Input returns the signal as JSON values, with its age at now. The age of a signal that
// was never sampled is left out.
func (s Signal) Input(now time.Time) map[string]any {
	out := map[string]any{"state": string(s.State), "window": s.Window.Nanoseconds()}
	if s.State == OK {
		out["value"] = s.Value
	} else if s.Last != nil {
		out["last"] = s.Last
	}
	if !s.At.IsZero() {
		out["age_ns"] = s.Age(now).Nanoseconds()
	}
	if !s.Since.IsZero() {
		out["since_ns"] = s.Since.UnixNano()
	}
	if s.State != OK && len(s.Missing) > 0 {
		out["missing"] = s.MissingInput()
	}
	if s.State == OK && s.Sustained != nil {
		out["sustained"] = s.Sustained.Input()
	}
	return out
}

// MissingInput returns Missing as JSON values.
func (s *Signal) MissingInput() map[string]any {
	out := make(map[string]any, len(s.Missing))
	for name, state := range s.Missing {
		out[name] = string(state)
	}
	return out
}

// Input returns the target as JSON values.
func (t *Target) Input() map[string]any {
	labels := make(map[string]any, len(t.Labels))
	for k, v := range t.Labels {
		labels[k] = v
	}
	out := map[string]any{
		"apiVersion": t.APIVersion, "kind": t.Kind, "namespace": t.Namespace, "name": t.Name, "labels": labels,
	}
	if t.Replicas != nil {
		out["replicas"] = map[string]any{"desired": t.Replicas.Desired, "ready": t.Replicas.Ready}
	}
	if t.Placement != nil {
		nodes := make([]any, len(t.Placement))
		for i, n := range t.Placement {
			nodes[i] = n
		}
		out["placement"] = nodes
	}
	if t.Model != "" {
		out["model"] = t.Model
	}
	if t.Pods != nil {
		pods := make([]any, len(t.Pods))
		for i, p := range t.Pods {
			pods[i] = p.input()
		}
		out["pods"] = pods
	}
	if t.PodsOmitted > 0 {
		out["pods_omitted"] = t.PodsOmitted
	}
	return out
}

// MarshalJSON encodes Input, with sorted keys.
func (d *Document) MarshalJSON() ([]byte, error) { return json.Marshal(d.Input()) }

// jsonValue returns v as JSON values. The types that it gets always marshal.
func jsonValue(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out any
	if err := jsonvalue.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}
