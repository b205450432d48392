package actuators

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

func TestParametersAreStrict(t *testing.T) {
	verbs := Offer(Env{Publish: func(context.Context, engine.Event) error { return nil }})
	require.NotContains(t, verbs, "scale", "nothing here runs workloads")
	for name, row := range map[string]struct {
		verb string
		with map[string]any
		want []string
	}{
		"fine":                 {"webhook", map[string]any{"url": "http://127.0.0.1/x", "body": "text"}, nil},
		"nothing":              {"webhook", map[string]any{}, []string{"url"}},
		"misspelt":             {"webhook", map[string]any{"url": "http://h/", "boddy": 1.0}, []string{"boddy"}},
		"no scheme":            {"webhook", map[string]any{"url": "h/x"}, []string{"must begin with http://"}},
		"with a user":          {"webhook", map[string]any{"url": "http://u:s3cret@h/x"}, []string{"url"}},
		"wrong type, and more": {"event.send", map[string]any{"type": 3.0, "to": "x"}, []string{"type", "to"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := verbs[row.verb].Check(row.with)
			require.Len(t, got, len(row.want), "%q", got)
			all := strings.Join(got, "\n")
			for _, w := range row.want {
				require.Contains(t, all, w)
			}
			require.NotContains(t, all, "s3cret")
		})
	}
}

func TestEveryParameterIsDocumented(t *testing.T) {
	require.Empty(t, manifest.Undocumented(manifest.Kinds{Verbs: Parameters()}))
}

func TestDirectionOfAScale(t *testing.T) {
	for want, direction := range map[float64]engine.Direction{0: engine.Down, 1: "", 2: engine.Up} {
		p := engine.Proposal{Target: engine.Target{Replicas: &engine.Replicas{Desired: 1}}, With: map[string]any{"replicas": want}}
		require.Equal(t, direction, scaleDirection(p))
	}
	require.Equal(t, engine.Direction(""), scaleDirection(engine.Proposal{With: map[string]any{"replicas": 2.0}}), "nobody knows from where")
}
