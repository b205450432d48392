package hpa

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// sequence is the input of `controlplane replicas`: one HorizontalPodAutoscaler, and what
// it sees sync by sync.
type sequence struct {
	Min         int           `json:"min"`
	Max         int           `json:"max"`
	TargetMilli int64         `json:"targetMilli"`
	Behavior    *behaviorJSON `json:"behavior,omitempty"`
	SyncSeconds int           `json:"syncSeconds"`
	Steps       []step        `json:"steps"`
	decisions   []Decision
	spec        Spec
}

type step struct {
	Replicas int       `json:"replicas"`
	Pods     []podJSON `json:"pods"`
}

type podJSON struct {
	Phase    Phase  `json:"phase"`
	NotReady bool   `json:"notReady,omitempty"`
	Deleting bool   `json:"deleting,omitempty"`
	Milli    *int64 `json:"milli,omitempty"`
}

type behaviorJSON struct {
	ScaleUp   *rulesJSON `json:"scaleUp,omitempty"`
	ScaleDown *rulesJSON `json:"scaleDown,omitempty"`
}

type rulesJSON struct {
	Window   *int         `json:"stabilizationWindowSeconds,omitempty"`
	Select   Select       `json:"selectPolicy,omitempty"`
	Policies []policyJSON `json:"policies,omitempty"`
}

type policyJSON struct {
	Type   string `json:"type"`
	Value  int    `json:"value"`
	Period int    `json:"periodSeconds"`
}

// decided is the controller's answer for a step.
type decided struct {
	Desired       int    `json:"desired"`
	Rescaled      bool   `json:"rescaled"`
	AbleToScale   string `json:"ableToScale"`
	ScalingActive string `json:"scalingActive"`
	Limited       bool   `json:"limited"`
	Limit         string `json:"limit"`
}

// Kubernetes' own controller decides as this package does, at every step of thousands of
// random sequences.
func TestAgreesWithKubernetes(t *testing.T) {
	controlplane, err := testcluster.Binary(t.Context())
	require.NoError(t, err)
	count := 2000
	if os.Getenv("SCANFLOW_SOAK") != "" {
		count = 20_000
	}
	sequences := make([]sequence, count)
	var in bytes.Buffer
	encoder := json.NewEncoder(&in)
	for seed := range sequences {
		sequences[seed] = randomSequence(t, rand.New(rand.NewPCG(uint64(seed), 1)))
		require.NoError(t, encoder.Encode(sequences[seed]))
	}
	var said bytes.Buffer
	command := exec.CommandContext(t.Context(), controlplane, "replicas")
	command.Stdin, command.Stderr = &in, &said
	out, err := command.Output()
	require.NoError(t, err, said.String())

	answers := json.NewDecoder(bytes.NewReader(out))
	reasons := map[Reason]int{}
	steps := 0
	for seed, s := range sequences {
		var theirs []decided
		require.NoError(t, answers.Decode(&theirs))
		require.Len(t, theirs, len(s.Steps))
		for i, d := range s.decisions {
			require.NoError(t, agree(d, theirs[i], s.Steps[i].Replicas), "seed %d, step %d of %s\nhere %+v\nthere %+v", seed, i, toJSON(t, s), d, theirs[i])
			reasons[d.Reason]++
			steps++
		}
	}
	t.Logf("%d sequences, %d steps: %v", count, steps, reasons)
	for _, r := range []Reason{WithinRange, UpStabilised, DownStabilised, UpLimited, DownLimited, TooMany, TooFew, AboveMax, BelowMin, ScalingDisabled, MetricFailed} {
		require.Greater(t, reasons[r], steps/2000, "the sequences seldom come to %s", r)
	}
}

// agree compares sizes and, where the controller says them, reasons. Conditions of
// the rules that a sync does not come to are those of the syncs before.
func agree(d Decision, theirs decided, replicas int) error {
	if d.Desired != theirs.Desired && d.Reason != ScalingDisabled {
		return fmt.Errorf("desired %d, not %d", d.Desired, theirs.Desired)
	}
	if theirs.Rescaled != (d.Desired != replicas) {
		return fmt.Errorf("rescaled: %v", theirs.Rescaled)
	}
	switch d.Reason {
	case AboveMax, BelowMin:
		if theirs.AbleToScale != "SucceededRescale" {
			return fmt.Errorf("able to scale: %s", theirs.AbleToScale)
		}
		return nil
	case MetricFailed, ScalingDisabled:
		if theirs.ScalingActive != string(d.Reason) {
			return fmt.Errorf("scaling active: %s", theirs.ScalingActive)
		}
		return nil
	}
	if theirs.ScalingActive != "ValidMetricFound" {
		return fmt.Errorf("scaling active: %s", theirs.ScalingActive)
	}
	limit, able := string(d.Reason), "SucceededRescale"
	if theirs.Limited != (d.Desired != d.Stabilised) {
		return fmt.Errorf("limited: %v", theirs.Limited)
	}
	if !theirs.Limited {
		limit = string(WithinRange)
	}
	if theirs.Limit != limit {
		return fmt.Errorf("limit %s", theirs.Limit)
	}
	if !theirs.Rescaled {
		able = "ReadyForNewScale"
		if d.Reason == UpStabilised || d.Reason == DownStabilised {
			able = string(d.Reason)
		}
		if theirs.Limited { // the one condition says the window's part, which the limit hides here
			able = theirs.AbleToScale
		}
	}
	if theirs.AbleToScale != able {
		return fmt.Errorf("able to scale: %s", theirs.AbleToScale)
	}
	return nil
}

// randomSequence follows this package's decisions, with what a cluster does besides:
// pods that wait, fail and end, metrics that are missing, people who scale.
func randomSequence(t *testing.T, r *rand.Rand) sequence {
	s := sequence{
		Min:         1 + r.IntN(3),
		TargetMilli: int64(1 + r.IntN(20_000)),
		SyncSeconds: []int{5, 10, 15, 15, 15, 30}[r.IntN(6)],
	}
	s.Max = s.Min + r.IntN(30)
	if r.IntN(4) > 0 {
		s.Behavior = &behaviorJSON{ScaleUp: randomRules(r), ScaleDown: randomRules(r)}
	}
	s.spec = s.specOf()
	a, err := New(s.spec)
	require.NoError(t, err)
	replicas := s.Min + r.IntN(s.Max-s.Min+1)
	load := float64(replicas) * float64(s.TargetMilli)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 40 {
		switch r.IntN(12) {
		case 0:
			load *= 0.2 + 3*r.Float64()
		case 1:
			load = float64(s.Max) * float64(s.TargetMilli) * r.Float64()
		default:
			load *= 0.85 + 0.3*r.Float64()
		}
		if r.IntN(25) == 0 {
			replicas = r.IntN(s.Max + 4)
		}
		st := step{Replicas: replicas, Pods: randomPods(r, replicas, load)}
		d := a.Sync(now, replicas, podsOf(st))
		s.Steps, s.decisions = append(s.Steps, st), append(s.decisions, d)
		replicas = d.Desired
		if replicas == 0 && r.IntN(2) == 0 {
			replicas = s.Min
		}
		now = now.Add(time.Duration(s.SyncSeconds) * time.Second)
	}
	return s
}

func randomRules(r *rand.Rand) *rulesJSON {
	if r.IntN(4) == 0 {
		return nil
	}
	rules := &rulesJSON{Select: []Select{"", "", SelectMax, SelectMin, SelectMin, SelectDisabled}[r.IntN(6)]}
	if r.IntN(2) == 0 {
		window := []int{0, 15, 30, 60, 100, 300}[r.IntN(6)]
		rules.Window = &window
	}
	if r.IntN(3) > 0 {
		for range 1 + r.IntN(3) {
			rules.Policies = append(rules.Policies, policyJSON{
				Type: []string{"Pods", "Percent"}[r.IntN(2)], Value: 1 + r.IntN([]int{5, 150}[r.IntN(2)]), Period: []int{5, 15, 30, 60, 100, 600}[r.IntN(6)]})
		}
	}
	return rules
}

func randomPods(r *rand.Rand, replicas int, load float64) []podJSON {
	trouble := r.IntN(3)
	n := max(replicas+[]int{0, 0, 0, 0, 1, -1, -2}[r.IntN(7)], 0)
	pods := make([]podJSON, 0, n)
	blind := r.IntN(40) == 0
	for range n {
		value := int64(load / float64(n) * (0.9 + 0.2*r.Float64()))
		p := podJSON{Phase: Running, Milli: &value, NotReady: r.IntN(5) == 0}
		if trouble > 0 {
			switch r.IntN(8 / trouble) {
			case 0:
				p.Milli = nil
			case 1:
				p.Phase = Pending
				if r.IntN(4) > 0 {
					p.Milli = nil
				}
			case 2:
				if r.IntN(3) == 0 {
					p.Phase = []Phase{Failed, "Succeeded", "Unknown"}[r.IntN(3)]
				}
			case 3:
				p.Deleting = r.IntN(2) == 0
			}
		}
		if blind {
			p.Milli = nil
		}
		pods = append(pods, p)
	}
	return pods
}

func podsOf(s step) []Pod {
	pods := make([]Pod, 0, len(s.Pods))
	for _, p := range s.Pods {
		pod := Pod{Phase: p.Phase, Deleting: p.Deleting}
		if p.Milli != nil {
			pod.Measured, pod.Milli = true, *p.Milli
		}
		pods = append(pods, pod)
	}
	return pods
}

func (s sequence) specOf() Spec {
	spec := Spec{Min: s.Min, Max: s.Max, TargetMilli: s.TargetMilli}
	if s.Behavior != nil {
		spec.Behavior = &Behavior{ScaleUp: rulesOf(s.Behavior.ScaleUp), ScaleDown: rulesOf(s.Behavior.ScaleDown)}
	}
	return spec
}

func rulesOf(j *rulesJSON) Rules {
	if j == nil {
		return Rules{}
	}
	rules := Rules{Select: j.Select}
	if j.Window != nil {
		window := time.Duration(*j.Window) * time.Second
		rules.Window = &window
	}
	for _, p := range j.Policies {
		rules.Policies = append(rules.Policies, Policy{Percent: p.Type == "Percent", Value: p.Value, Period: time.Duration(p.Period) * time.Second})
	}
	return rules
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}
