package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Info identifies the agent in documents.
func (a *Agent) Info() engine.AgentInfo {
	return engine.AgentInfo{Namespace: a.Metadata.Namespace, Name: a.Metadata.Name, Role: a.Spec.Role, Layer: a.Spec.Layer}
}

// EngineSpec converts the agent for the engine. The caller adds what needs adapters: the
// Sensors, and the Fleet if Selector reports true. It returns an error only for an agent
// that does not come from Read.
func (a *Agent) EngineSpec() (engine.Spec, error) {
	triggers, err := a.engineTriggers()
	if err != nil {
		return engine.Spec{}, err
	}
	generation, err := a.Generation()
	if err != nil {
		return engine.Spec{}, err
	}
	spec := engine.Spec{
		AgentInfo:  a.Info(),
		Mode:       a.Spec.Mode,
		Triggers:   triggers,
		Strategies: slices.Clone(a.Spec.Strategies),
		Primitives: slices.Clone(a.Spec.Primitives),
		Params:     a.Spec.Params,
		Guards:     a.engineGuards(),
		Priority:   a.Spec.Priority,
		RetryFor:   a.Spec.RetryFor.Duration,
		Generation: generation,
	}
	if _, selected := a.Selector(); !selected {
		spec.Fleet = a.staticFleet()
	}
	return spec, nil
}

// Selector selects the workloads that are the agent's targets. It reports false if the
// manifest has a static list.
func (a *Agent) Selector() (engine.Selector, bool) {
	t := a.Spec.Targets
	if t.Selector == nil {
		return engine.Selector{}, false
	}
	out := a.selector(t.APIVersion, t.Kind, t.Namespace, t.Selector)
	out.Pods = t.Pods
	return out, true
}

func (a *Agent) selector(apiVersion, kind, namespace string, s *Selector) engine.Selector {
	switch namespace {
	case "":
		namespace = a.Metadata.Namespace
	case allNamespaces:
		namespace = ""
	}
	out := engine.Selector{APIVersion: apiVersion, Kind: kind, Namespace: namespace}
	if s != nil {
		out.MatchLabels = maps.Clone(s.MatchLabels)
	}
	return out
}

// Generation is 12 hex digits of a SHA-256 of the manifest's content. Comments, the order of
// keys and the notation of values don't change it.
func (a *Agent) Generation() (string, error) {
	raw, err := json.Marshal(a) // deterministic: fields in the order of the struct, map keys sorted
	if err != nil {
		return "", fmt.Errorf("agent %s: write it as JSON: %w", a.Info(), err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:6]), nil
}

func (a *Agent) staticFleet() engine.StaticFleet {
	fleet := make(engine.StaticFleet, len(a.Spec.Targets.Static))
	for i, t := range a.Spec.Targets.Static {
		fleet[i] = engine.Target{Namespace: t.Namespace, Name: t.Name, Labels: maps.Clone(t.Labels)}
		if t.Namespace == "" {
			fleet[i].Namespace = a.Metadata.Namespace
		}
	}
	return fleet
}

func (a *Agent) engineTriggers() ([]engine.Trigger, error) {
	out := make([]engine.Trigger, len(a.Spec.Triggers))
	for i, t := range a.Spec.Triggers {
		out[i] = engine.Trigger{Name: t.Name, Every: t.Every.Duration, Jitter: t.Jitter.Duration, At: t.At.Time, Wait: t.Wait.Duration}
		if t.Event != nil {
			out[i].Event = &engine.EventFilter{Types: []string{t.Event.Type}, From: slices.Clone(t.Event.From)}
		}
		if t.Alert != nil {
			out[i].Alert = t.Alert.filter()
		}
		if w := t.Watch; w != nil {
			out[i].Watch = &engine.WatchSpec{Selector: a.selector(w.APIVersion, w.Kind, w.Namespace, w.Selector), Name: w.Name, Field: w.Field}
		}
		if t.Cron == "" {
			continue
		}
		cron, err := schedule(t.Cron, t.Timezone)
		if err != nil {
			return nil, fmt.Errorf("agent %s: trigger %s: %w", a.Info(), t.Name, err)
		}
		out[i].Cron = cron
	}
	return out, nil
}

// filter is the filter for the events that alerts are converted to.
func (t *AlertTrigger) filter() *engine.EventFilter {
	out := &engine.EventFilter{From: slices.Clone(t.From), Labels: maps.Clone(t.MatchLabels)}
	if t.Status != "resolved" {
		out.Types = append(out.Types, engine.AlertFiring)
	}
	if t.Status == "resolved" || t.Status == "any" {
		out.Types = append(out.Types, engine.AlertResolved)
	}
	if t.Name != "" {
		if out.Labels == nil {
			out.Labels = map[string]string{}
		}
		out.Labels["alertname"] = t.Name
	}
	return out
}

func (a *Agent) engineGuards() engine.Guards {
	g := a.Spec.Guards
	out := engine.Guards{
		Hold:     engine.DefaultHold,
		Approval: slices.Clone(g.Approval), ApprovalExpiry: g.ApprovalExpiry.Duration, ApprovalNotify: g.ApprovalNotify, URLs: slices.Clone(g.URLs),
	}
	if g.Hold != nil {
		out.Hold = g.Hold.Duration
	}
	if r := g.Replicas; r != nil {
		out.Replicas = &engine.ReplicaGuard{Min: r.Min, Max: r.Max, StepUp: r.StepUp, StepDown: r.StepDown}
	}
	if g.Cooldown != nil {
		out.Cooldown = make(map[string]time.Duration, len(g.Cooldown))
		for key, d := range g.Cooldown {
			out.Cooldown[key] = d.Duration
		}
	}
	if b := g.Budget; b != nil {
		out.Budget = &engine.BudgetGuard{Actions: b.Actions, Per: b.Per.Duration, Primitives: slices.Clone(b.Primitives)}
	}
	if f := g.Fleet; f != nil {
		out.Fleet = &engine.FleetGuard{Targets: f.Targets.Count, Percent: f.Targets.Percent, Per: f.Per.Duration, Primitives: slices.Clone(f.Primitives)}
	}
	return out
}
