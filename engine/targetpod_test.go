package engine

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A document is read back as it was written, with unknown pods, none, some and too many.
func TestPodsOfADocument(t *testing.T) {
	many := make([]TargetPod, MaxTargetPods+3)
	for i := range many {
		many[i] = TargetPod{Name: fmt.Sprintf("web-%03d", len(many)-1-i), StartedNS: 1}
	}
	for name, row := range map[string]struct {
		pods    []TargetPod
		want    string // of pods, as JSON
		omitted int
	}{
		"none": {[]TargetPod{}, `[]`, 0},
		"some": {
			[]TargetPod{{Name: "b", Restarts: 2, StartedNS: 1700000000000000001}, {Name: "a", Ready: true, StartedNS: 1, ReadySinceNS: 1700000000000000003}},
			`[{"name": "a", "ready": true, "restarts": 0, "started_ns": 1, "ready_since_ns": 1700000000000000003}, {"name": "b", "ready": false, "restarts": 2, "started_ns": 1700000000000000001}]`, 0,
		},
		"too many": {many, "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			d := Document{Agent: &AgentInfo{}, Trigger: &TriggerInfo{Kind: "manual"}, Now: time.Unix(1, 0).UTC()}
			d.Target.SetPods(row.pods)
			raw, err := json.Marshal(&d)
			require.NoError(t, err)
			var written struct {
				Target struct {
					Pods    json.RawMessage `json:"pods"`
					Omitted *int            `json:"pods_omitted"`
				} `json:"target"`
			}
			require.NoError(t, json.Unmarshal(raw, &written))
			if row.want != "" {
				require.JSONEq(t, row.want, string(written.Target.Pods))
				require.Nil(t, written.Target.Omitted)
			} else {
				require.Equal(t, row.omitted, *written.Target.Omitted)
				require.Len(t, d.Target.Pods, MaxTargetPods)
				require.Equal(t, "web-000", d.Target.Pods[0].Name)
				require.Equal(t, fmt.Sprintf("web-%03d", MaxTargetPods-1), d.Target.Pods[MaxTargetPods-1].Name)
			}
			read, err := ReadDocument(raw)
			require.NoError(t, err)
			require.Equal(t, d.Target.Pods, read.Target.Pods)
			require.Equal(t, row.omitted, read.Target.PodsOmitted)
		})
	}
	var unknown Target
	require.NotContains(t, unknown.Input(), "pods", "what is not known is absent")
}
