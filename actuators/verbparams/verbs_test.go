package verbparams

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

func TestMistakesInParameters(t *testing.T) {
	n := func(i int) *int { return &i }
	list := []any{map[string]any{"type": "cron"}}
	for name, row := range map[string]struct {
		check interface{ Check() mistake.Mistakes }
		want  []string
	}{
		"bounds":                {Autoscaler{Min: n(1), Max: n(3)}, nil},
		"nothing":               {Autoscaler{}, []string{"nothing would be changed"}},
		"all at once":           {Autoscaler{Min: n(-1), Max: n(-2)}, []string{"min: must not be negative", "max: must be at least 1", "min: must not be above max"}},
		"both signals":          {Autoscaler{Metrics: list, Triggers: list}, []string{"metrics: are those of a HorizontalPodAutoscaler"}},
		"metrics of KEDA":       {Autoscaler{Kind: ScaledObject, Metrics: list}, []string{"metrics: "}},
		"triggers of an HPA":    {Autoscaler{Kind: HorizontalPodAutoscaler, Triggers: list}, []string{"triggers: "}},
		"a trigger of text":     {Autoscaler{Kind: ScaledObject, Triggers: []any{"cron"}}, []string{"triggers[0]: must be a mapping"}},
		"an empty list":         {Autoscaler{Metrics: []any{}}, []string{"metrics: must not be empty"}},
		"annotations":           {Annotate{map[string]string{"example.com/A": "x", "plain": ""}}, nil},
		"no annotations":        {Annotate{}, []string{"must not be empty"}},
		"annotations of others": {Annotate{map[string]string{"k8s.io/a": "", "a.k8s.io/b": "", "scanflow.dev/take-over": "", "notk8s.io/c": "", "a b": ""}}, []string{`annotations["a b"]`, `annotations["a.k8s.io/b"]`, `annotations["k8s.io/a"]`, "for people alone"}},
		"an object":             {Apply{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}}}, nil},
		"an object of nothing":  {Apply{map[string]any{}}, []string{"apiVersion: is missing", "kind: is missing", "metadata.name: is missing"}},
		"a list of objects":     {Apply{map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{"name": "x"}}}, []string{"List of v1 has several objects, to be proposed one by one, so no policy may write it"}},
		"a rule":                {Traffic{Route: "r", Kind: "VirtualService", Rule: "main", Weights: map[string]int{"a": 1}}, nil},
		"a rule of no route":    {Traffic{Route: "r", Kind: "SeldonDeployment", Rule: "main", Weights: map[string]int{"a": 1}}, []string{"rule: has no effect on a SeldonDeployment, which has no rules"}},
		"a rule of a service":   {Traffic{Route: "r", Kind: "InferenceService", Rule: "main", Weights: map[string]int{"a": 0}}, []string{"rule: has no effect on a InferenceService", "weights: at least one"}},
		"a place":               {Place{Placement: Placement{NodeSelector: map[string]string{"gpu": ""}}}, nil},
		"a node of no label":    {Place{Placement: Placement{NodeSelector: map[string]string{"": "a", "b": "c d"}}}, []string{`nodeSelector[""]: is no name`, `nodeSelector.b: no label has the value "c d"`}},
		"pods of no label":      {Near{MatchLabels: map[string]string{"a b": "c", "d": "e,f"}, TopologyKey: "zone"}, []string{`matchLabels["a b"]: is no name`, `matchLabels.d: no label has the value "e,f"`}},
		"pods of no namespace":  {Near{MatchLabels: map[string]string{"a": "b"}, TopologyKey: "zone", Namespaces: []string{"x", "", "*", "A"}}, []string{"namespaces[1]", "namespaces[2]", "namespaces[3]"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := row.check.Check().Lines()
			require.Len(t, got, len(row.want), "%q", got)
			for _, w := range row.want {
				require.Contains(t, strings.Join(got, "\n"), w)
			}
		})
	}
}
