package agentcheck

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/policies"
)

// What a strategy says of its params at each turn is known before it runs.
func TestProblemsOfParamsAreKnownBeforeATurn(t *testing.T) {
	src, err := source.FromFS(policies.FS)()
	require.NoError(t, err)
	rev, err := policy.Compile(t.Context(), src, policy.Options{})
	require.NoError(t, err)
	const good = `[{from: "08:00", until: "20:00", min: 3}]`
	for params, says := range map[string]string{
		"{schedule: " + good + "}":                                             "",
		"{schedule: " + good + ", timezone: Europe/Madrid}":                    "",
		`{schedule: [{from: "08:00", until: "25:00", min: 3}]}`:                "a.yaml:9:46: spec.params.schedule[0].until: is no time of the day like 12:00, 12:00:30 or 24:00 (says serving.schedule)",
		`{schedule: [{from: "8:45", until: "20:00", min: 3}]}`:                 "spec.params.schedule[0].from: is no time of the day",
		`{schedule: [{from: "08:00", until: "20:00", min: 3, day: mon}]}`:      "spec.params.schedule[0].day: there is no such key",
		`{schedule: [{from: "08:00", until: "20:00", min: 3, max: 2}]}`:        "spec.params.schedule[0]: min and max",
		`{schedule: [{from: "08:00", until: "20:00", min: 3, days: [Mnday]}]}`: "spec.params.schedule[0].days: is no list of Mon",
		"{schedule: " + good + ", timezone: Europe/Madird}":                    `spec.params.timezone: "Europe/Madird" is no known time zone (says serving.schedule); write a name of the IANA database, as Europe/Madrid, or UTC`,
	} {
		t.Run(params, func(t *testing.T) {
			agents, err := manifest.ReadBytes("a.yaml", []byte("apiVersion: scanflow.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec:\n  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: web}}}\n  triggers: [{name: tick, every: 10s}]\n  strategies: [serving.schedule]\n  primitives: [scale]\n  params: "+params+"\n"), agentspec.Kinds())
			require.NoError(t, err)
			lines := strings.Join(ParamProblems(t.Context(), agents, rev).Lines(), "\n")
			if says == "" {
				require.Empty(t, lines)
				return
			}
			require.Contains(t, lines, says)
		})
	}
}
